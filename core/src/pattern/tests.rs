use super::*;

#[test]
fn a_star_is_any_run_of_characters_and_all_others_are_themselves() {
    for (pattern, name, expected) in [
        ("delete_user", "delete_user", true),
        ("delete_user", "Delete_user", false),
        ("delete_user", "delete_users", false),
        ("delete_user", "xdelete_user", false),
        ("delete_user", "", false),
        ("*", "", true),
        ("*", "any/thing \u{00e9}", true),
        ("**", "", true),
        ("**", "a", true),
        ("search_*", "search_", true),
        ("search_*", "search_web", true),
        ("search_*", "search", false),
        ("search_*", "my_search_web", false),
        ("*_read", "file_read", true),
        ("*_read", "_read", true),
        ("*_read", "file_read2", false),
        ("docs://*/index", "docs://a/b/index", true),
        ("docs://*/index", "docs://index", false),
        ("a*a", "a", false),
        ("a*a", "aa", true),
        ("a*b*c", "abc", true),
        ("a*b*c", "a-b-b-c", true),
        ("a*b*c", "acb", false),
        ("a*ab*b", "aab", false),
        ("a*ab*b", "aabb", true),
        ("*a*", "bab", true),
        ("*a*", "bbb", false),
        ("a.c", "abc", false),
        ("a?c", "abc", false),
        ("[ab]", "a", false),
        ("*é*", "caf\u{00e9}s", true),
    ] {
        let pattern = Pattern::new(pattern);
        assert_eq!(pattern.matches(name), expected, "{pattern:?} {name:?}");
    }
}

/// A pattern that is tried by going back takes years for this.
#[test]
fn many_stars_take_no_more_time() {
    let name = "a".repeat(60 * 1024);
    let pattern = Pattern::new(&"*a".repeat(500).replace("*a", "*aaa"));
    assert!(pattern.matches(&name));
    let pattern = Pattern::new(&format!("{}*b", "*aaa".repeat(500)));
    assert!(!pattern.matches(&name));
}

#[test]
fn a_pattern_covers_what_it_takes_all_of() {
    for (one, other, expected) in [
        ("*", "delete_user", true),
        ("*", "search_*", true),
        ("search_*", "search_web_*", true),
        ("search_*", "search_*", true),
        ("search_*", "*", false),
        ("search_web", "search_*", false),
        ("a*c", "a*b*c", true),
        ("a*b*c", "a*c", false),
    ] {
        let covers = Pattern::new(one).covers(&Pattern::new(other));
        assert_eq!(covers, expected, "{one} {other}");
    }
}

/// The same by its definition: a star takes each length there is.
fn is_instance(pattern: &str, name: &str) -> bool {
    match pattern.strip_prefix('*') {
        Some(rest) => name
            .char_indices()
            .map(|(at, _)| at)
            .chain([name.len()])
            .any(|at| is_instance(rest, &name[at..])),
        None => match (pattern.chars().next(), name.chars().next()) {
            (None, None) => true,
            (Some(p), Some(n)) if p == n => is_instance(&pattern[1..], &name[1..]),
            _ => false,
        },
    }
}

/// Every text of these characters up to a length.
fn texts(characters: &str, length: usize) -> Vec<String> {
    let mut all = vec![String::new()];
    let mut last = all.clone();
    for _ in 0..length {
        let longer = |text: &String| {
            let text = text.clone();
            characters.chars().map(move |c| format!("{text}{c}"))
        };
        last = last.iter().flat_map(longer).collect();
        all.extend(last.clone());
    }
    all
}

#[test]
fn nothing_is_missed_by_taking_each_piece_where_it_comes_first() {
    let names = texts("ab", 6);
    for pattern in texts("ab*", 5) {
        let compiled = Pattern::new(&pattern);
        for name in &names {
            let expected = is_instance(&pattern, name);
            assert_eq!(compiled.matches(name), expected, "{pattern} {name}");
        }
    }
}

#[test]
fn what_a_pattern_covers_it_takes() {
    let (patterns, names) = (texts("ab*", 3), texts("ab", 4));
    for (one, other) in patterns
        .iter()
        .flat_map(|p| patterns.iter().map(move |q| (p, q)))
    {
        let (one, other) = (Pattern::new(one), Pattern::new(other));
        let takes = |name: &String| one.matches(name) || !other.matches(name);
        assert!(
            !one.covers(&other) || names.iter().all(takes),
            "{one:?} {other:?}"
        );
    }
}
