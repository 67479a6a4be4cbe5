//! Every help text, and what the usage errors are worth.

use std::fmt::Write as _;

use super::paramedic;
use crate::cli::command;

/// Every command with its path, parents first.
fn each(visit: &mut impl FnMut(&str, &mut clap::Command)) {
    fn walk(path: &str, command: &mut clap::Command, visit: &mut impl FnMut(&str, &mut clap::Command)) {
        visit(path, command);
        let names: Vec<String> = command
            .get_subcommands()
            .map(|sub| sub.get_name().to_owned())
            .filter(|name| name != "help")
            .collect();
        for name in names {
            let sub = command.find_subcommand_mut(&name).expect("it was listed");
            walk(&format!("{path} {name}"), sub, visit);
        }
    }
    let mut root = command().term_width(100);
    root.build();
    walk("paramedic", &mut root, visit);
}

#[test]
fn every_help_text_reads_well() {
    each(&mut |path, command| {
        let name = path.replace(' ', "_");
        insta::assert_snapshot!(name, command.render_long_help().to_string());
    });
}

#[test]
fn every_help_text_has_an_example() {
    each(&mut |path, command| {
        let help = command.render_long_help().to_string();
        assert!(help.contains("Example"), "{path}");
    });
}

#[test]
fn no_line_of_a_help_text_is_broken_where_nobody_broke_it() {
    each(&mut |path, command| {
        let text = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        for line in text.lines() {
            assert!(line.chars().count() <= 100, "{path}: {line}");
        }
    });
}

#[test]
fn every_flag_has_a_variable_of_its_own_or_shared() {
    let mut variables = String::new();
    each(&mut |path, command| {
        for arg in command.get_arguments().filter(|arg| !matches!(arg.get_id().as_str(), "help" | "version"))
        {
            let Some(long) = arg.get_long() else { continue };
            let variable = arg.get_env().and_then(|name| name.to_str()).unwrap_or("NONE");
            assert!(variable.starts_with("PARAMEDIC_"), "{path} --{long} has {variable}");
            writeln!(variables, "{path} --{long} {variable}").expect("a string takes all");
        }
    });
    insta::assert_snapshot!("variables", variables);
}

#[test]
fn shells_offer_files_where_files_are_meant() {
    let ran = paramedic(&["completions", "zsh"]);
    for flag in ["--token-file=[", "--kubeconfig=[", "--data-dir=[", "--policies=["] {
        let mut lines = ran.out.lines().filter(|line| line.contains(flag)).peekable();
        assert!(lines.peek().is_some(), "no {flag}");
        assert!(lines.all(|line| line.contains("_files")), "{flag}");
    }
}

#[test]
fn help_is_data_and_a_wrong_flag_is_the_users_fault() {
    for (args, code) in [
        (&["--help"][..], 0),
        (&["--version"][..], 0),
        (&["audit", "query", "--help"][..], 0),
        (&[][..], 1),
        (&["nonsense"][..], 1),
        (&["audit"][..], 1),
        (&["audit", "query", "--since", "yesterday"][..], 1),
        (&["audit", "query", "--kind", "rule"][..], 1),
        (&["audit", "query", "--since", "1h", "--until", "2h"][..], 1),
        (&["audit", "query", "--target", "cart"][..], 1),
        (&["audit", "tail", "--follow", "--data-dir", "."][..], 1),
        (&["audit", "report"][..], 1),
        (&["audit", "report", "--since", "1h", "--until", "2h", "--data-dir", "/does/not/exist"][..], 1),
        (&["audit", "report", "--episode", "1", "--since", "1h"][..], 1),
        (&["pause", "--namespace", "a", "--policy", "b"][..], 1),
        (&["resume", "--clock", "--namespace", "a"][..], 1),
        (&["resume", "--clock", "--server", "http://127.0.0.1:1"][..], 2),
        (&["pause", "--target", "shop/cart"][..], 1),
        (&["pause", "--server", "ftp://example.test"][..], 1),
        (&["pause", "--server", "http://127.0.0.1:1"][..], 2),
        (&["approve", "12", "--token-file", "/does/not/exist"][..], 1),
        (&["check"][..], 1),
        (&["check", "/does/not/exist"][..], 1),
        (&["schema"][..], 0),
        (&["schema", "--configuration"][..], 0),
        (&["serve", "--listen", "here"][..], 1),
        (&["serve", "--config", "/does/not/exist"][..], 1),
        (&["completions", "bash"][..], 0),
        (&["explain"][..], 1),
        (&["explain", "nothing-like-that"][..], 1),
        (&["audit", "query", "--data-dir", "/does/not/exist"][..], 1),
    ] {
        let ran = paramedic(args);
        assert_eq!(ran.code, code, "{args:?}\n{ran}");
        assert_eq!(ran.err.is_empty(), code == 0, "{args:?}\n{ran}");
    }
}

#[test]
fn mistakes_come_with_a_hint() {
    let mut text = String::new();
    for args in [
        &["audit", "query", "--since", "yesterday"][..],
        &["audit", "query", "--kind", "rule"][..],
        &["audit", "query", "--since", "1h", "--until", "2h"][..],
        &["audit", "query", "--target", "cart"][..],
        &["audit", "query", "--data-dir", "/does/not/exist"][..],
        &["audit", "tail", "--follow", "--data-dir", "."][..],
        &["pause", "--target", "shop/cart"][..],
        &["pause", "--target", "shop/gadget/cart"][..],
        &["pause", "--server", "ftp://example.test"][..],
        &["pause", "--server", "http://127.0.0.1:1"][..],
        &["approve", "12", "--token-file", "/does/not/exist"][..],
        &["check"][..],
        &["check", "/does/not/exist"][..],
        &["serve", "--listen", "here", "--prometheus-url", "there"][..],
        &["serve", "--mode", "on"][..],
        &["explain", "1041", "--policies", "/does/not/exist"][..],
        &["explain", "nothing-like-that"][..],
        &["explain", "/dev/null"][..],
    ] {
        let ran = paramedic(args);
        writeln!(text, "$ paramedic {}\n{}", args.join(" "), ran.err).expect("a string takes all");
    }
    insta::assert_snapshot!(text);
}
