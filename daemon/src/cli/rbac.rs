//! `paramedic rbac`: the least roles that the policies need, for `kubectl apply`. Asks no server.

use std::path::PathBuf;

use paramedic_policies::action::Mode;
use paramedic_policies::book::Book;
use paramedic_policies::load::{self, built_in};
use paramedic_policies::target::{is_dns_label, is_dns_subdomain};
use paramedic_remediations::rights::{self, Account, Plurals};

use super::console::Console;
use super::failure::Failure;
use crate::config::Configuration;
use crate::reload;
use crate::serve::ServeArgs;

/// Print the roles on Kubernetes that the policies need, and nothing more: verbs, resources, names and namespaces, with
/// the bindings, as YAML.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Examples:
  paramedic rbac --config paramedic.yaml | kubectl apply -f -
  paramedic rbac policies/ --mode enforce --by-hand
  paramedic rbac policies/ --service-account ops/paramedic-eu > rbac.yaml

A policy whose target names its namespace, or whose matchers leave it a few, needs a Role in each;
one that any alert may aim anywhere needs a ClusterRole. A comment at each rule says which
policies need it. Mode is the daemon's cap, dry-run unless you say otherwise: what nothing but
acting needs is left out then. Without --by-hand `paramedic freeze` and `block` may be forbidden.
The same policies give the same text.

`paramedic check --live` asks a cluster whether the account it runs under has all of them.")]
pub struct RbacArgs {
    /// Policy files, and folders of them; without any, those of --policies or of the configuration.
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// The account that gets the rights; the roles have its name.
    #[arg(long, value_name = "NS/NAME", default_value = "paramedic/paramedic", value_parser = account)]
    service_account: Account,
    /// The configuration file: its policies, variables and mode.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// A policy file, or a folder of them (repeatable; in the variable: separated by `:`).
    #[arg(long, value_name = "PATH", value_delimiter = ':')]
    policies: Vec<PathBuf>,
    /// Also what `paramedic freeze` and `paramedic block` need, which run policies of paramedic's own.
    #[arg(long)]
    by_hand: bool,
    /// The daemon's cap on modes: dry-run, approve or enforce.
    #[arg(long, value_name = "MODE", value_parser = crate::serve::args::mode)]
    mode: Option<Mode>,
}

fn account(text: &str) -> Result<Account, String> {
    let wrong = || "a namespace and a name are wanted, such as paramedic/paramedic".to_owned();
    let (namespace, name) = text.split_once('/').ok_or_else(wrong)?;
    if !is_dns_label(namespace) || !is_dns_subdomain(name) {
        return Err(wrong());
    }
    Ok(Account { namespace: namespace.to_owned(), name: name.to_owned() })
}

pub(super) fn run(args: RbacArgs, console: &mut Console<'_>) -> Result<(), Failure> {
    let RbacArgs { paths, service_account, config, policies, by_hand, mode } = args;
    let policies = if paths.is_empty() { policies } else { paths };
    let flags = ServeArgs { config, policies, mode, ..ServeArgs::default() };
    let configuration = flags.effective().map_err(|problems| super::serve::unusable(&problems))?;
    let book = book(&configuration, by_hand)?;
    if !configuration.kubernetes.enabled {
        writeln!(
            console.err,
            "the configuration uses no Kubernetes; were it to, this is what it would need"
        )?;
    }
    let rights = rights::of_book(&book, &Plurals::new());
    write!(console.out, "{}", rights::manifest(&rights, book.settings().mode, &service_account))?;
    if !by_hand {
        writeln!(
            console.out,
            "# Left out is what `paramedic freeze` and `paramedic block` need beyond that: --by-hand adds it."
        )?;
    }
    let guessed = rights::kinds(&book);
    if !guessed.is_empty() {
        let kinds: Vec<String> = guessed.into_iter().collect();
        writeln!(
            console.err,
            "the plural of {} is made by the rules of English; `kubectl api-resources` has the real one",
            kinds.join(", ")
        )?;
    }
    Ok(())
}

/// The policies of a configuration, which must all be good; with paramedic's own, where those are wanted.
fn book(configuration: &Configuration, by_hand: bool) -> Result<Book, Failure> {
    if configuration.policies.is_empty() {
        return Err(Failure::users("no policies are named")
            .hint("name files or folders: `paramedic rbac policies/`, or `policies:` in the configuration"));
    }
    let source = reload::source(&configuration.policies, &configuration.settings())
        .map_err(|problems| Failure::unread(&problems, "policy"))?;
    let source = if by_hand { built_in::with(source) } else { source };
    load::book(source).map_err(|problems| {
        let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
        Failure::users(format!("the policies have errors\n{}", told.join("\n")))
            .hint("`paramedic check` says more about them")
    })
}
