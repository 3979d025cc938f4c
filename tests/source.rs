//! Lines and columns as people count them.

use crate::trial;
use libtest_mimic::Trial;
use mlx::source::{LineColumn, Sources, Span};

pub fn trials() -> Vec<Trial> {
    vec![
        trial("source::columns_count_characters", columns_count_characters),
        trial("source::the_end_of_a_text_is_a_place", the_end_of_a_text_is_a_place),
    ]
}

fn columns_count_characters() {
    let mut sources = Sources::default();
    let id = sources.add("a.mlx", "let 重み = 1\nlet η = 重さ\n");
    let at = sources.get(id).text.find("重さ").expect("it is there");
    let span = Span::new(id, at, at + "重さ".len());
    assert_eq!(sources.start(span), LineColumn { line: 2, column: 9 });
    assert_eq!(sources.end(span), LineColumn { line: 2, column: 11 });
    assert_eq!(sources.text(span), "重さ");
}

fn the_end_of_a_text_is_a_place() {
    let mut sources = Sources::default();
    let empty = sources.add("empty.mlx", "");
    assert_eq!(sources.start(Span::new(empty, 0, 0)), LineColumn { line: 1, column: 1 });
    let one = sources.add("one.mlx", "a\n");
    assert_eq!(sources.start(Span::new(one, 2, 2)), LineColumn { line: 2, column: 1 });
}
