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
        trial("size::equal_quotients_are_equal", equal_quotients_are_equal),
        trial("size::what_is_never_negative_is_so_of_all_numbers", never_negative),
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

fn equal_quotients_are_equal() {
    let [one, two] = [1, 2].map(Size::from);
    let half = rows().floor_over(2);
    assert_eq!(rows().plus(&two).floor_over(2), half.plus(&one));
    assert_eq!(rows().times(&two).plus(&one).floor_over(2), rows());
    assert_eq!(rows().minus(&one).floor_over(2), rows().plus(&one).floor_over(2).minus(&one));
    assert_eq!(half.symbols().len(), 1);
    assert!(half.has_rows() && !half.is_rows() && !half.is_open());
    for rows in [1, 2, 5, 8] {
        assert_eq!(half.with_rows(rows).settled(), Some(rows / 2));
        assert_eq!(half.floor_over(3).with_rows(rows).settled(), Some(rows / 6));
    }
    let up = rows().times(&Size::from(-1)).floor_over(2).times(&Size::from(-1));
    assert_eq!(up.to_string(), "n - floor(n / 2)");
    assert_eq!(rows().plus(&one).floor_over(2).to_string(), "floor((n + 1) / 2)");
}

/// Sums of quotients with random factors: what is said holds of many numbers of rows, and most of what holds is said.
fn never_negative() {
    let (mut said, mut true_of_all) = (0, 0);
    for case in 0..2_000i64 {
        let factor = |k: i64| (case * 2_654_435_761 / k).rem_euclid(7) - 3;
        let quotient = rows().plus(&Size::from(factor(11).abs())).floor_over(2 + factor(5).abs());
        let size = rows().times(&Size::from(factor(3))).plus(&quotient.times(&Size::from(factor(7))));
        let size = size.plus(&rows().floor_over(2).times(&Size::from(factor(13)))).plus(&Size::from(factor(17)));
        let holds = (1..200).all(|rows| size.with_rows(rows).settled() >= Some(0));
        assert!(holds || !size.is_never_negative(), "{size}");
        said += i32::from(size.is_never_negative());
        true_of_all += i32::from(holds);
    }
    assert!(true_of_all > 300 && said * 10 >= true_of_all * 8, "{said} of {true_of_all}");
}
