//! Settled numbers stay exact while they can.

use crate::trial;
use libtest_mimic::Trial;
use mlx::check::number::Number;

pub fn trials() -> Vec<Trial> {
    vec![
        trial("number::tenths_add_up", tenths_add_up),
        trial("number::powers_and_quotients_are_exact", powers_and_quotients_are_exact),
        trial("number::overflow_becomes_a_float", overflow_becomes_a_float),
        trial("number::division_by_zero_is_a_float", division_by_zero_is_a_float),
    ]
}

fn ratio(above: i128, below: i128) -> Number {
    Number::ratio(above, below).expect("a denominator that is not zero")
}

fn tenths_add_up() {
    assert_eq!(ratio(1, 10).plus(ratio(2, 10)), ratio(3, 10));
    assert_eq!(ratio(3, 10).minus(ratio(3, 10)).to_whole(), Some(0));
}

fn powers_and_quotients_are_exact() {
    assert_eq!(Number::whole(2).power(Number::whole(-3)), ratio(1, 8));
    assert_eq!(Number::whole(56).minus(Number::whole(2)).over(Number::whole(6)).to_whole(), Some(9));
    assert_eq!(Number::whole(7).over(Number::whole(2)).to_whole(), None);
    assert_eq!(ratio(6, -4).to_string(), "-1.5");
}

fn overflow_becomes_a_float() {
    let large = Number::whole(i64::MAX).power(Number::whole(5));
    assert!(matches!(large, Number::Float(value) if value > 1e94));
    let least = ratio(i128::MIN, 1);
    assert!(matches!(least.negate(), Number::Float(value) if value > 1e38));
}

fn division_by_zero_is_a_float() {
    assert!(Number::whole(1).over(Number::whole(0)).to_f64().is_infinite());
    assert!(Number::whole(0).over(Number::whole(0)).to_f64().is_nan());
}
