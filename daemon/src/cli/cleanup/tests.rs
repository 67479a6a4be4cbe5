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

/// A server that answers everything with this.
async fn answering(body: &'static str) -> String {
    use axum::routing::any;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let at = format!("http://{}", listener.local_addr().expect("bound"));
    let json = [(axum::http::header::CONTENT_TYPE, "application/json")];
    let app = axum::Router::new().fallback(any(move || async move { (json, body) }));
    tokio::spawn(async move { axum::serve(listener, app).await });
    at
}

#[tokio::test]
async fn nothing_is_cleaned_beside_a_daemon_that_acts_on_this_cluster() {
    drop(rustls::crypto::ring::default_provider().install_default());
    let here = answering(r#"{"kubernetes": "https://api/"}"#).await;
    let elsewhere = answering(r#"{"kubernetes": "https://other"}"#).await;
    let nowhere = answering("{}").await;
    for (server, dry_run, refused, warned) in [
        (&here, false, true, false),
        (&here, true, false, true),
        (&elsewhere, false, false, true),
        (&nowhere, false, false, false),
    ] {
        let args = CleanupArgs {
            dry_run,
            namespace: Vec::new(),
            yes: true,
            kubeconfig: None,
            context: None,
            output: OutputArg::default(),
            server: ServerArgs { server: server.clone(), token_file: None },
        };
        let cluster = Cluster { server: "https://api".into(), context: None };
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let now = "2026-11-21T09:00:00Z".parse().expect("a time");
        let mut console = Console { out: &mut out, err: &mut err, now };
        let came = no_daemon(&args, &cluster, &mut console).await;
        assert_eq!(came.is_err(), refused, "{server}");
        let said = String::from_utf8(err).expect("text");
        assert_eq!(said.contains("stop it before you clean"), warned, "{said}");
    }
}
