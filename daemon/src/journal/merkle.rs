//! Merkle tree hashes as RFC 6962 defines them: leaf = SHA-256(0x00 || bytes), node = SHA-256(0x01 || left || right).
//! Deliberately absent: proofs; a block is small enough to be hashed again as a whole.

use paramedic_policies::book::Digest;
use sha2::{Digest as _, Sha256};

type Hash = [u8; 32];

/// Collects leaves from left to right, keeping one hash per complete subtree.
#[derive(Debug, Default)]
pub(super) struct Tree {
    subtrees: Vec<(u32, Hash)>,
}

impl Tree {
    /// Adds the next leaf.
    pub(super) fn push(&mut self, leaf: &[u8]) {
        let mut hash = Sha256::new();
        hash.update([0]);
        hash.update(leaf);
        let mut node: (u32, Hash) = (0, hash.finalize().into());
        while let Some((height, left)) = self.subtrees.last().copied().filter(|(height, _)| *height == node.0)
        {
            self.subtrees.pop();
            node = (height + 1, join(&left, &node.1));
        }
        self.subtrees.push(node);
    }

    /// The root over all leaves so far; of none, the hash of nothing.
    pub(super) fn root(mut self) -> Digest {
        let Some((_, mut right)) = self.subtrees.pop() else { return Digest::of(&[]) };
        while let Some((_, left)) = self.subtrees.pop() {
            right = join(&left, &right);
        }
        Digest::from_bytes(right)
    }
}

fn join(left: &Hash, right: &Hash) -> Hash {
    let mut bytes = [1_u8; 65];
    bytes[1..33].copy_from_slice(left);
    bytes[33..].copy_from_slice(right);
    Sha256::digest(bytes).into()
}

/// The root of a block bound to everything before it: SHA-256(chained root before || Merkle root).
pub(super) fn chain(previous: &Digest, root: &Digest) -> Digest {
    let mut bytes = [0_u8; 64];
    bytes[..32].copy_from_slice(previous.bytes());
    bytes[32..].copy_from_slice(root.bytes());
    Digest::of(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(leaves: &[&[u8]]) -> String {
        let mut tree = Tree::default();
        leaves.iter().for_each(|leaf| tree.push(leaf));
        tree.root().to_string()
    }

    /// The vectors of Certificate Transparency's own tests (merkle_tree_test.cc).
    #[test]
    fn roots_are_those_of_rfc_6962() {
        let leaves: [&[u8]; 8] = [
            b"",
            b"\x00",
            b"\x10",
            b"\x20\x21",
            b"\x30\x31",
            b"\x40\x41\x42\x43",
            b"\x50\x51\x52\x53\x54\x55\x56\x57",
            b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
        ];
        let want = [
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
            "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ];
        for (count, want) in want.into_iter().enumerate() {
            assert_eq!(root(&leaves[..count]), want, "{count} leaves");
        }
    }
}
