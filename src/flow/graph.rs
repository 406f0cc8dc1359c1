//! A flow as a graph: what cannot be reached, what goes round without waiting, what is reached while queued. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::document::{Document, Node};

/// The nodes that are reached from some, themselves included.
#[must_use]
pub fn reached<'d>(document: &'d Document, from: impl IntoIterator<Item = &'d str>) -> BTreeSet<&'d str> {
    let mut reached = BTreeSet::new();
    let mut open: Vec<&str> = from.into_iter().collect();
    while let Some(name) = open.pop() {
        let Some((name, node)) = document.nodes.get_key_value(name) else { continue };
        if reached.insert(name.as_str()) {
            open.extend(node.exits().into_iter().map(|(_, to)| to));
        }
    }
    reached
}

/// Nodes that are reached after an exit by time of a `request_agent`: the contact is queued then.
#[must_use]
pub fn reached_while_queued(document: &Document) -> BTreeSet<&str> {
    let later = document.nodes.values().filter_map(|node| match node {
        Node::RequestAgent(node) => Some(node.later().into_iter().map(|(_, to)| to)),
        _ => None,
    });
    reached(document, later.flatten().collect::<Vec<_>>())
}

/// Circles in which nothing waits: each as its nodes in order, beginning with the first by name.
#[must_use]
pub fn circles(document: &Document) -> Vec<Vec<&str>> {
    let mut found: BTreeSet<Vec<&str>> = BTreeSet::new();
    let mut done: BTreeSet<&str> = BTreeSet::new();
    for start in document.nodes.keys() {
        let mut path: Vec<&str> = Vec::new();
        walk(document, start, &mut path, &mut done, &mut found);
    }
    found.into_iter().collect()
}

/// Depth first without recursion on the machine's stack: the path is a stack of (node, exits left to try).
fn walk<'d>(
    document: &'d Document,
    start: &'d str,
    path: &mut Vec<&'d str>,
    done: &mut BTreeSet<&'d str>,
    found: &mut BTreeSet<Vec<&'d str>>,
) {
    let mut left: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let exits = |name: &str| -> Vec<&'d str> {
        document
            .nodes
            .get(name)
            .map(|node| node.exits_at_once().into_iter().map(|(_, to)| to).collect())
            .unwrap_or_default()
    };
    if done.contains(start) {
        return;
    }
    path.push(start);
    left.insert(start, exits(start));
    while let Some(name) = path.last().copied() {
        let Some(to) = left.get_mut(name).and_then(Vec::pop) else {
            done.insert(name);
            path.pop();
            continue;
        };
        if let Some(at) = path.iter().position(|on| *on == to) {
            let mut circle = path[at..].to_vec();
            let first = circle.iter().enumerate().min_by_key(|(_, name)| **name).map_or(0, |(nth, _)| nth);
            circle.rotate_left(first);
            found.insert(circle);
        } else if !done.contains(to) {
            path.push(to);
            left.insert(to, exits(to));
        }
    }
}
