//! Policies of paramedic's own, which only run by hand: what `paramedic freeze` and `paramedic block` order. They stand in
//! every book that the daemon adopts, so that a decision is explained by their text of its day. Nobody's policy may go
//! by their names.

use crate::book::{Source, SourceFile};

/// Their files; no folder of a person's has such a path.
const FILES: [(&str, &str); 2] = [
    ("<built-in>/block.yaml", include_str!("../../by-hand/block.yaml")),
    ("<built-in>/freeze.yaml", include_str!("../../by-hand/freeze.yaml")),
];

/// The policy that freezes deploys.
pub const FREEZE: &str = "paramedic-freeze";

/// The policies that keep a client out, by the kind of their target.
pub const BLOCKS: [(&str, &str); 4] = [
    ("Deployment", "paramedic-block-deployment"),
    ("StatefulSet", "paramedic-block-statefulset"),
    ("DaemonSet", "paramedic-block-daemonset"),
    (crate::remediation::block_ip::INGRESS, "paramedic-block-ingress"),
];

/// The same source with these policies, and with none of an older program.
pub fn with(mut source: Source) -> Source {
    source.files.retain(|file| !is_own(&file.path));
    let own = |(path, text): (&str, &str)| SourceFile { path: path.to_owned(), text: text.to_owned() };
    source.files.extend(FILES.map(own));
    source.files.sort_by(|a, b| a.path.cmp(&b.path));
    source
}

/// Whether a file is paramedic's own.
pub fn is_own(path: &str) -> bool {
    FILES.iter().any(|(own, _)| *own == path)
}

/// Whether a name is of such a policy.
pub(crate) fn is_reserved(name: &str) -> bool {
    name == FREEZE || BLOCKS.iter().any(|(_, block)| *block == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;

    #[test]
    fn our_own_policies_replace_those_of_an_older_program_and_nobody_elses() {
        let file = |path: &str| SourceFile { path: path.to_owned(), text: "old".to_owned() };
        let files = vec![file("<built-in>/freeze.yaml"), file("shop.yaml")];
        let source = with(Source { files, settings: Settings::default(), tzdb: String::new() });
        let paths: Vec<&str> = source.files.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(paths, ["<built-in>/block.yaml", "<built-in>/freeze.yaml", "shop.yaml"]);
        let old: Vec<&str> =
            source.files.iter().filter(|file| file.text == "old").map(|file| file.path.as_str()).collect();
        assert_eq!(old, ["shop.yaml"]);
    }
}
