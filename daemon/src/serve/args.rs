//! The flags of `paramedic serve`. Every flag wins over the configuration file, and has a variable of its own.

use std::path::PathBuf;

use clap::Args;
use clap::builder::FalseyValueParser;
use paramedic_policies::action::Mode;
use paramedic_policies::load::{Problem, Severity};

use crate::config::{self, Configuration, Problems};

/// Where the daemon listens, what it reads, on what it acts.
#[derive(Debug, Clone, Default, Args)]
pub struct ServeArgs {
    /// The configuration file (`kind: Configuration`); flags win over it
    #[arg(long, value_name = "FILE", env = "PARAMEDIC_CONFIG")]
    pub config: Option<PathBuf>,

    /// A policy file, or a folder of them; may be given several times (in the variable: separated by `:`)
    #[arg(long, value_name = "PATH", env = "PARAMEDIC_POLICIES", value_delimiter = ':')]
    pub policies: Vec<PathBuf>,

    /// The folder of the journal
    #[arg(long, value_name = "DIR", env = "PARAMEDIC_DATA_DIR")]
    pub data_dir: Option<PathBuf>,

    /// Where webhook and API listen [default: 127.0.0.1:9911]
    #[arg(long, value_name = "ADDR", env = "PARAMEDIC_LISTEN")]
    pub listen: Option<String>,

    /// Where /metrics, /healthz and /readyz listen [default: 127.0.0.1:9912]
    #[arg(long, value_name = "ADDR", env = "PARAMEDIC_ADMIN_LISTEN")]
    pub admin_listen: Option<String>,

    /// Base URL of the Prometheus that shows facts
    #[arg(long, value_name = "URL", env = "PARAMEDIC_PROMETHEUS_URL")]
    pub prometheus_url: Option<String>,

    /// The kubeconfig; without it kube's usual inference
    #[arg(long, value_name = "FILE", env = "PARAMEDIC_KUBECONFIG", conflicts_with = "no_kubernetes")]
    pub kubeconfig: Option<PathBuf>,

    /// A context of the kubeconfig
    #[arg(long, value_name = "NAME", env = "PARAMEDIC_CONTEXT", conflicts_with = "no_kubernetes")]
    pub context: Option<String>,

    /// Use no cluster: HTTP levers only
    #[arg(long, env = "PARAMEDIC_NO_KUBERNETES", value_parser = FalseyValueParser::new())]
    pub no_kubernetes: bool,

    /// No policy may go further than this: dry-run, approve or enforce [default: dry-run]
    #[arg(long, value_name = "MODE", env = "PARAMEDIC_MODE", value_parser = mode)]
    pub mode: Option<Mode>,
}

/// A mode by its name.
///
/// # Errors
/// When it is none.
pub(crate) fn mode(text: &str) -> Result<Mode, String> {
    [Mode::DryRun, Mode::Approve, Mode::Enforce]
        .into_iter()
        .find(|mode| mode.to_string() == text)
        .ok_or_else(|| "one of dry-run, approve, enforce is wanted".to_owned())
}

impl ServeArgs {
    /// The configuration file with these flags over it.
    ///
    /// # Errors
    /// Everything that is wrong with the file or a flag.
    pub fn effective(&self) -> Result<Configuration, Problems> {
        let file = self.config.as_deref().map(config::read_file).transpose()?;
        file.unwrap_or_default().effective(self)
    }
}

impl Configuration {
    /// This configuration with the flags over it.
    ///
    /// # Errors
    /// What is wrong with the flags.
    pub fn effective(mut self, args: &ServeArgs) -> Result<Self, Problems> {
        let mut problems = Vec::new();
        let mut refuse = |flag: &str, message: String, hint: &str| {
            problems.push(Problem {
                severity: Severity::Error,
                file: flag.to_owned(),
                line: 1,
                column: 1,
                message,
                hint: Some(hint.to_owned()),
            });
        };
        if !args.policies.is_empty() {
            self.policies.clone_from(&args.policies);
        }
        if let Some(dir) = &args.data_dir {
            self.data_dir.clone_from(dir);
        }
        for (flag, given, into) in [
            ("--listen", &args.listen, &mut self.listen),
            ("--admin-listen", &args.admin_listen, &mut self.admin_listen),
        ] {
            let Some(address) = given else { continue };
            match config::address_of(address) {
                Ok(_) => into.clone_from(address),
                Err(problem) => refuse(flag, problem, config::ADDRESS_HINT),
            }
        }
        if let Some(url) = &args.prometheus_url {
            match config::url_of(url) {
                Ok(_) => self.prometheus.url.clone_from(url),
                Err(problem) => refuse("--prometheus-url", problem, config::URL_HINT),
            }
        }
        if args.kubeconfig.is_some() {
            self.kubernetes.kubeconfig.clone_from(&args.kubeconfig);
        }
        if args.context.is_some() {
            self.kubernetes.context.clone_from(&args.context);
        }
        if args.kubeconfig.is_some() || args.context.is_some() {
            self.kubernetes.enabled = true;
        }
        if args.no_kubernetes {
            self.kubernetes.enabled = false;
        }
        if let Some(mode) = args.mode {
            self.mode = mode;
        }
        if problems.is_empty() { Ok(self) } else { Err(Problems(problems)) }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        serve: ServeArgs,
    }

    fn line(words: &[&str]) -> ServeArgs {
        Line::try_parse_from([&["serve"], words].concat()).expect("valid").serve
    }

    #[test]
    fn flags_win_over_the_file() {
        let file = config::read(
            "apiVersion: paramedic.dev/v1alpha1\nkind: Configuration\nmode: approve\nlisten: 127.0.0.1:1\npolicies: [a]",
            "f",
        );
        let file = file.expect("valid");
        let effective = file.clone().effective(&line(&[])).expect("valid");
        assert_eq!(effective, file);
        let flags =
            line(&["--mode", "enforce", "--listen", "127.0.0.1:2", "--policies", "b", "--policies", "c:d"]);
        let effective = file.effective(&flags).expect("valid");
        assert_eq!(effective.mode, Mode::Enforce);
        assert_eq!(effective.listen, "127.0.0.1:2");
        assert_eq!(effective.policies, ["b", "c", "d"].map(PathBuf::from));
    }

    #[test]
    fn every_flag_has_its_variable() {
        use clap::CommandFactory;
        for argument in Line::command().get_arguments().filter(|argument| argument.get_id() != "help") {
            let flag = argument.get_long().expect("flags are long");
            let variable = format!("PARAMEDIC_{}", flag.to_uppercase().replace('-', "_"));
            assert_eq!(argument.get_env().and_then(|name| name.to_str()), Some(variable.as_str()));
        }
    }

    #[test]
    fn wrong_flags_are_told_at_once() {
        let problems =
            line(&["--listen", "here", "--prometheus-url", "p"]).effective().expect_err("both are wrong");
        assert_eq!(problems.0.len(), 2, "{problems}");
        assert!(Line::try_parse_from(["serve", "--mode", "all"]).is_err());
        assert!(Line::try_parse_from(["serve", "--no-kubernetes", "--context", "x"]).is_err());
    }
}
