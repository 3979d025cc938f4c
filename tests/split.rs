//! Splits, the order of a seed, and what is fitted on training rows.

use libtest_mimic::Trial;
use mlx::data::fit;
use mlx::data::shuffle;
use mlx::data::split::{Holdout, Part, Split, holdout};
use mlx::diagnostic::Diagnostic;

use crate::data::{program, shown, table};
use crate::trial;

pub fn trials() -> Vec<Trial> {
    vec![
        trial("split::sizes_by_largest_remainder", sizes_by_largest_remainder),
        trial("split::every_row_once", every_row_once),
        trial("split::a_seed_settles_the_rows", a_seed_settles_the_rows),
        trial("split::without_shuffle_order_is_kept", without_shuffle_order_is_kept),
        trial("split::strata_keep_their_shares", strata_keep_their_shares),
        trial("split::wrong_shares", wrong_shares),
        trial("split::classes_of_training_rows", classes_of_training_rows),
        trial("split::an_unseen_class_is_shown", an_unseen_class_is_shown),
    ]
}

type Share = (i128, i128);

/// Rows, the shares of the three splits, and the sizes that follow.
type Case = (usize, Share, Option<Share>, Option<Share>, [usize; 3]);

fn wanted(train: Share, valid: Option<Share>, test: Option<Share>) -> Holdout {
    let span = program().1;
    let part = |share| Part { share, span };
    Holdout { train: part(train), valid: valid.map(part), test: test.map(part), seed: 1, shuffle: true }
}

fn split(rows: usize, wanted: &Holdout) -> Result<Split, Diagnostic> {
    holdout(rows, wanted, None, program().1, || false)
}

fn sizes(split: &Split) -> [usize; 3] {
    [split.train.len(), split.valid.len(), split.test.len()]
}

fn sizes_by_largest_remainder() {
    let cases: &[Case] = &[
        (442, (80, 100), None, Some((20, 100)), [354, 0, 88]),
        (10, (1, 3), Some((1, 3)), Some((1, 3)), [4, 3, 3]),
        (7, (1, 2), None, Some((1, 2)), [4, 0, 3]),
        (10, (34, 100), Some((33, 100)), Some((33, 100)), [4, 3, 3]),
        (10, (6, 10), Some((25, 100)), Some((15, 100)), [6, 3, 1]),
        (5, (1, 1), None, None, [5, 0, 0]),
    ];
    for (rows, train, valid, test, expected) in cases {
        let split = split(*rows, &wanted(*train, *valid, *test)).expect("a split");
        assert_eq!(sizes(&split), *expected, "{rows} rows");
    }
}

fn every_row_once() {
    let split = split(101, &wanted((7, 10), Some((1, 10)), Some((2, 10)))).expect("a split");
    assert!([&split.train, &split.valid, &split.test].iter().all(|rows| rows.is_sorted()));
    let mut all = [split.train, split.valid, split.test].concat();
    all.sort_unstable();
    assert_eq!(all, (0..101).collect::<Vec<_>>());
}

fn a_seed_settles_the_rows() {
    // SplitMix64's first number of seed 0 is e220a8397b1dcdaf; this order follows and must never change.
    assert_eq!(shuffle::order(10, 0), [4, 9, 2, 5, 1, 7, 6, 0, 3, 8]);
    let one = wanted((1, 2), None, Some((1, 2)));
    let two = Holdout { seed: 2, ..one };
    assert_eq!(split(50, &one), split(50, &one));
    assert_ne!(split(50, &one), split(50, &two));
    // Each place of a shuffle of three is equally likely: 6 orders, 6000 seeds.
    let mut seen = std::collections::BTreeMap::new();
    (0..6000).for_each(|seed| *seen.entry(shuffle::order(3, seed)).or_insert(0) += 1);
    assert!(seen.len() == 6 && seen.values().all(|count| (880..1120).contains(count)), "{seen:?}");
}

fn without_shuffle_order_is_kept() {
    let wanted = Holdout { shuffle: false, ..wanted((5, 10), Some((2, 10)), Some((3, 10))) };
    let split = split(10, &wanted).expect("a split");
    assert_eq!((split.train, split.valid, split.test), (vec![0, 1, 2, 3, 4], vec![5, 6], vec![7, 8, 9]));
}

fn strata_keep_their_shares() {
    let strata: Vec<usize> = (0..150).map(|row| row / 50).collect();
    let split =
        holdout(150, &wanted((8, 10), None, Some((2, 10))), Some(&strata), program().1, || false).expect("a split");
    for class in 0..3 {
        assert_eq!(split.test.iter().filter(|row| strata[**row] == class).count(), 10);
    }
    let strata: Vec<usize> = (0..97).map(|row| (row * row) % 7).collect();
    let wanted = wanted((6, 10), Some((15, 100)), Some((25, 100)));
    let split = holdout(97, &wanted, Some(&strata), program().1, || false).expect("a split");
    assert_eq!(sizes(&split), [58, 15, 24]);
    for class in 0..7 {
        let of = |rows: &[usize]| rows.iter().filter(|row| strata[**row] == class).count() as f64;
        let all = of(&split.train) + of(&split.valid) + of(&split.test);
        for (rows, share) in [(&split.train, 58.0 / 97.0), (&split.valid, 15.0 / 97.0), (&split.test, 24.0 / 97.0)] {
            assert!((of(rows) - share * all).abs() < 2.0);
        }
    }
}

fn wrong_shares() {
    let message = |rows, wanted: &Holdout| {
        let wrong = split(rows, wanted).expect_err("a mistake");
        format!("{} {}", wrong.code, wrong.message)
    };
    let sum = message(10, &wanted((8, 10), None, Some((3, 10))));
    assert_eq!(sum, "E0312 the shares of the split make 110% instead of 1");
    assert_eq!(message(10, &wanted((2, 3), None, None)), "E0312 the shares of the split make 2/3 instead of 1");
    let outside = message(10, &wanted((11, 10), None, Some((-1, 10))));
    assert_eq!(outside, "E0312 the share `train` is not between 0 and 1");
    let empty = message(3, &wanted((9, 10), None, Some((1, 10))));
    assert_eq!(empty, "E0313 the split `test` is empty: 10% of 3 rows is none");
    assert!(message(0, &wanted((1, 1), None, None)).starts_with("E0313"));
    let fine = (i128::MAX - 1, i128::MAX);
    assert!(message(10, &wanted(fine, Some((1, 7)), None)).starts_with("E0312"));
}

fn classes_of_training_rows() {
    let (sources, t) = table("kind,level\nb,10\na,9\nb,10\na,2\n");
    let split = Split { train: vec![0, 1, 3], valid: vec![], test: vec![2] };
    let (kinds, codes) =
        fit::category(&sources, &t, 0, &split, fit::Wanted::default(), program().1, || false).expect("classes");
    assert_eq!((kinds.classes, codes), (vec!["a".to_string(), "b".to_string()], vec![1, 0, 1, 0]));
    let (levels, _) =
        fit::category(&sources, &t, 1, &split, fit::Wanted::default(), program().1, || false).expect("classes");
    assert_eq!(levels.classes, ["2", "9", "10"]);
    assert_eq!(fit::strata(&t, 1, || false), [2, 1, 2, 0]);
}

fn an_unseen_class_is_shown() {
    let (sources, t) = table("x,kind\n1,a\n2,b\n3,\"c\"\n");
    let split = Split { train: vec![0, 1], valid: vec![], test: vec![2] };
    let wrong =
        fit::category(&sources, &t, 1, &split, fit::Wanted::default(), program().1, || false).expect_err("a mistake");
    let expected = "E0311 4:3 \"\\\"c\\\"\": the class `c` of column `kind` is in no training row";
    assert_eq!(shown(&sources, &wrong), expected);
    assert_eq!(wrong.labels[0].text, "row 3 is in `test`");
}
