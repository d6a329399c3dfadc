//! The index: a tree of segments whose nodes hold rules in the order they were written.

use std::collections::BTreeMap;

use crate::policy::route::path::{End, PathMatch, Segment};

/// All nodes are in one vector, so that neither building nor dropping the tree recurses.
#[derive(Debug)]
pub(super) struct Tree {
    nodes: Vec<Node>,
}

#[derive(Debug, Default)]
struct Node {
    /// The first rule here or below. A search that has found an earlier rule skips this node.
    first: usize,
    literals: BTreeMap<Box<str>, usize>,
    /// Below any one segment that is not empty.
    one: Option<usize>,
    /// Rules for the path that ends here.
    here: Vec<usize>,
    /// Rules for that path and all below it.
    below: Vec<usize>,
    /// The same, if their expression matches.
    regexes: Vec<usize>,
}

/// The search for the first rule through several trees.
pub(super) struct Search<'p, F> {
    path: &'p str,
    holds: F,
    found: Option<usize>,
    /// Rules that match if their expression does. Regexes cost most, so they are tried last.
    regexes: Vec<usize>,
}

// === impl Tree ===

impl Tree {
    const ROOT: usize = 0;

    /// Rules come in their order.
    pub(super) fn insert(&mut self, rule: usize, path: &PathMatch) {
        let mut at = Tree::ROOT;
        for segment in &path.segments {
            let new = self.nodes.len();
            let Some(node) = self.nodes.get_mut(at) else {
                return;
            };
            at = match segment {
                Segment::Literal(text) => *node.literals.entry(text.clone()).or_insert(new),
                Segment::One => *node.one.get_or_insert(new),
            };
            if at == new {
                self.nodes.push(Node {
                    first: rule,
                    ..Node::default()
                });
            }
        }
        if let Some(node) = self.nodes.get_mut(at) {
            match path.end {
                End::Anything => node.below.push(rule),
                End::Nothing => node.here.push(rule),
                End::Regex(_) => node.regexes.push(rule),
            }
        }
    }
}

impl Default for Tree {
    fn default() -> Self {
        Tree {
            nodes: vec![Node::default()],
        }
    }
}

// === impl Search ===

impl<'p, F: Fn(usize) -> bool> Search<'p, F> {
    /// `holds` tells whether the rest of a rule whose path matches does.
    pub(super) fn new(path: &'p str, holds: F) -> Self {
        Search {
            path,
            holds,
            found: None,
            regexes: Vec::new(),
        }
    }

    /// Costs at most one step per node of the tree, whatever the path.
    pub(super) fn visit(&mut self, tree: &Tree) {
        let mut next = Some((Tree::ROOT, self.path.strip_prefix('/')));
        let mut later = Vec::new();
        while let Some((at, rest)) = next.take().or_else(|| later.pop()) {
            let Some(node) = tree.nodes.get(at) else {
                continue;
            };
            if !self.is_earlier(node.first) {
                continue;
            }
            self.consider(&node.below);
            self.regexes.extend_from_slice(&node.regexes);
            let Some(rest) = rest else {
                self.consider(&node.here);
                continue;
            };
            let (segment, rest) = match rest.split_once('/') {
                Some((segment, rest)) => (segment, Some(rest)),
                None => (rest, None),
            };
            let literal = node.literals.get(segment).map(|at| (*at, rest));
            let one = node
                .one
                .filter(|_| !segment.is_empty())
                .map(|at| (at, rest));
            next = literal.or(one);
            if literal.is_some() {
                later.extend(one);
            }
        }
    }

    /// `matches` tells whether a rule's expression does.
    pub(super) fn finish<E>(
        mut self,
        matches: impl Fn(usize) -> Result<bool, E>,
    ) -> Result<Option<usize>, E> {
        self.regexes.sort_unstable();
        for rule in &self.regexes {
            if !self.is_earlier(*rule) {
                break;
            }
            if (self.holds)(*rule) && matches(*rule)? {
                return Ok(Some(*rule));
            }
        }
        Ok(self.found)
    }

    fn consider(&mut self, rules: &[usize]) {
        let first = rules
            .iter()
            .take_while(|rule| self.is_earlier(**rule))
            .find(|rule| (self.holds)(**rule));
        self.found = first.copied().or(self.found);
    }

    fn is_earlier(&self, rule: usize) -> bool {
        self.found.is_none_or(|found| rule < found)
    }
}
