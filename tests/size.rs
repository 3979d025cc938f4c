//! Sizes are polynomials: equal sizes are equal however they were written.

use crate::trial;
use libtest_mimic::Trial;
use mlx::ir::{Size, Symbol};

pub fn trials() -> Vec<Trial> {
    vec![
        trial("size::equal_polynomials_are_equal", equal_polynomials_are_equal),
        trial("size::division_must_be_exact", division_must_be_exact),
        trial("size::settling_gives_numbers", settling_gives_numbers),
        trial("size::prints_as_the_language_writes", prints_as_the_language_writes),
    ]
}

fn rows() -> Size {
    Size::symbol(Symbol::new("n"))
}

fn equal_polynomials_are_equal() {
    let one = Size::from(1);
    let square = rows().plus(&one).times(&rows().minus(&one));
    assert_eq!(square, rows().times(&rows()).minus(&one));
    assert_eq!(rows().minus(&rows()).settled(), Some(0));
    assert_ne!(rows(), one);
}

fn division_must_be_exact() {
    let two = Size::from(2);
    assert_eq!(rows().times(&Size::from(6)).over(&two), Some(rows().times(&Size::from(3))));
    assert_eq!(rows().over(&two), None);
    assert_eq!(Size::from(4).over(&Size::from(0)), None);
    assert_eq!(Size::from(7).ceil_over(&two), Some(Size::from(4)));
    assert_eq!(Size::from(8).ceil_over(&two), Some(Size::from(4)));
    assert_eq!(rows().ceil_over(&two), None);
}

fn settling_gives_numbers() {
    let size = rows().times(&rows()).plus(&Size::from(3));
    assert_eq!(size.settle(&[(Symbol::new("n"), 5)]).settled(), Some(28));
    assert_eq!(size.settle(&[(Symbol::new("m"), 5)]), size);
    assert_eq!(Size::from(i64::MAX).times(&Size::from(9)).settled(), Some(i64::MAX));
}

fn prints_as_the_language_writes() {
    let size = rows().times(&Size::from(2)).minus(&Size::from(1));
    assert_eq!(size.to_string(), "2 * n - 1");
    assert_eq!(Size::from(0).to_string(), "0");
    assert_eq!(Size::from(-3).plus(&rows()).to_string(), "n - 3");
}
