//! How a cleanup ends, by what its last look has shown.

use paramedic_remediations::cleanup::Left;
use paramedic_remediations::ports::objects::DEPLOYMENTS;

use super::*;

fn left(matters: bool) -> Trace {
    let does = Does::Leave(Left { why: "kubectl-edit has changed it since".into(), matters });
    Trace { at: DEPLOYMENTS.named("shop", "cart"), stamp: "journal-7".into(), does }
}

fn done(found: Vec<Trace>, unseen: &[&str]) -> Done {
    let unseen = unseen.iter().map(|one| (*one).to_owned()).collect();
    Done { cleaned: 1, last: Traces { found, unseen }, ..Done::default() }
}

/// What is said, and the error.
fn end(done: &Done) -> (String, Option<String>) {
    end_in(done, &[])
}

fn end_in(done: &Done, namespaces: &[String]) -> (String, Option<String>) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let now = "2026-11-21T09:00:00Z".parse().expect("a time");
    let mut console = Console { out: &mut out, err: &mut err, now };
    let error = ended(done, namespaces, false, &mut console).err().map(|failure| failure.error);
    (String::from_utf8(err).expect("text"), error)
}

#[test]
fn nothing_is_left_only_where_the_last_look_saw_all_and_nothing_that_matters() {
    let (said, error) = end(&done(vec![left(false)], &[]));
    assert_eq!((said.as_str(), error), ("1 trace cleaned, nothing that has an effect is left\n", None));

    let (said, error) = end(&done(Vec::new(), &["could not list pods: connection refused"]));
    assert_eq!(said, "not looked through: could not list pods: connection refused\n");
    assert_eq!(error.as_deref(), Some("1 trace cleaned, and part of the cluster was not looked through"));

    let (_, error) = end(&done(vec![left(true)], &[]));
    assert_eq!(error.as_deref(), Some("1 trace cleaned, and 1 trace left, as said above"));
}

#[test]
fn of_some_namespaces_nothing_is_said_about_the_others() {
    let (said, error) = end_in(&done(Vec::new(), &[]), &["shop".into(), "stage".into()]);
    assert_eq!(error, None);
    assert_eq!(
        said,
        "1 trace cleaned, nothing that has an effect is left in shop, stage; nodes and other namespaces were not looked \
         through\n"
    );
}

#[test]
fn programs_are_told_what_only_the_last_look_has_shown() {
    let cluster = Cluster { server: "https://api".into(), context: None };
    let mut done = done(vec![left(true)], &["could not list pods"]);
    done.anew = vec![left(true)];
    let told = told(&cluster, &Traces::default(), &done);
    assert_eq!(told["found"][0]["matters"], json!(true));
    assert_eq!(told["unseen"], json!(["could not list pods"]));
}
