//! Orders by hand as they are written: one that is half written is a mistake, never a list, and none of these reaches a
//! daemon.

use super::paramedic;

#[test]
fn an_order_without_its_place_is_a_mistake_and_never_a_list() {
    for (args, error) in [
        (&["freeze", "--for", "2h", "--reason", "oops"][..], "a freeze needs a namespace"),
        (&["freeze", "--dry-run"], "a freeze needs a namespace"),
        (&["freeze", "--no-wait"], "a freeze needs a namespace"),
        (&["freeze", "--key", "k"], "a freeze needs a namespace"),
        (&["freeze", "-n", "shop"], "it needs an end"),
        (&["block", "--ingress", "shop/web", "--for", "1h"], "a block needs an address"),
        (&["block", "--ingress", "shop/web"], "a block needs an address"),
        (&["block", "--reason", "x"], "a block needs an address"),
        (&["block", "203.0.113.7", "--for", "1h"], "a block needs a place"),
        (&["block", "203.0.113.7", "--ingress", "shop/web"], "it needs an end"),
        (&["freeze", "-n", "Bad_NS", "--for", "1h"], "invalid value 'Bad_NS'"),
        (&["freeze", "-n", "", "--for", "1h"], "invalid value '' for '--namespace <NAME>'"),
        (
            &["freeze", "-n", "shop", "--for", "100d"],
            "invalid value '100d' for '--for <DURATION>': from 1m to 7d",
        ),
        (&["block", "203.0.113.7", "--for", "1s"], "from 1m to 7d"),
        (&["thaw", "-n", "a/b"], "invalid value 'a/b'"),
    ] {
        let ran = paramedic(args);
        assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{args:?}\n{ran}");
        assert!(ran.err.contains(&format!("error: {error}")) || ran.err.contains(error), "{args:?}\n{ran}");
    }
    let many: Vec<String> = (0..17).map(|number| format!("n{number}")).collect();
    let ran = paramedic(&["freeze", "--for", "1h", "-n", &many.join(",")]);
    assert!(ran.code == 1 && ran.err.contains("17 namespaces, at most 16 may be"), "{ran}");
}

#[test]
fn a_list_is_what_is_asked_for_or_what_nothing_at_all_is() {
    // Nobody listens there: it is asked, so it would be listed.
    for args in
        [&["freeze"][..], &["freeze", "--list"], &["freeze", "-o", "json"], &["block"], &["block", "--list"]]
    {
        let ran = paramedic(&[args, &["--server", "http://127.0.0.1:1"]].concat());
        assert_eq!(ran.code, 2, "{args:?}\n{ran}");
    }
}
