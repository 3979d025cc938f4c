//! Weight files: the same bytes every time, and every mistake told.

use std::collections::BTreeMap;

use libtest_mimic::Trial;
use mlx::train::record::checksum;
use mlx::train::weights::{Tensor, Weights, fits, from_bytes, not_finite, to_bytes};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::json;

use crate::data::program;
use crate::trial;

pub fn trials() -> Vec<Trial> {
    vec![
        trial("weights::written_and_read", written_and_read),
        trial("weights::the_bytes_are_settled", the_bytes_are_settled),
        trial("weights::no_bit_changes_unseen", no_bit_changes_unseen),
        trial("weights::what_is_not_finite_is_named", what_is_not_finite_is_named),
        trial("weights::other_programs_files_are_read", other_programs_files_are_read),
        trial("weights::broken_files", broken_files),
        trial("weights::no_bytes_panic", no_bytes_panic),
        trial("weights::all_that_does_not_fit", all_that_does_not_fit),
    ]
}

fn tensor(shape: &[usize]) -> Tensor {
    Tensor { shape: shape.to_vec(), values: (0..shape.iter().product()).map(|at| at as f32 / 3.0).collect() }
}

fn some() -> Weights {
    let tensors = [("dense_2.w", tensor(&[2, 3])), ("dense_1.b", tensor(&[2])), ("scale", tensor(&[]))];
    let meta = json!({"seed": 1, "fits": {"y": ["no", "yes"], "x": [0.1, 2.0]}});
    Weights { tensors: tensors.into_iter().map(|(path, tensor)| (path.to_string(), tensor)).collect(), meta }
}

fn written_and_read() {
    let bytes = to_bytes(&some()).expect("bytes");
    assert_eq!(from_bytes("w", &bytes, None).expect("weights"), some());
    let mut odd = some();
    odd.tensors.insert("n".to_string(), Tensor { shape: vec![2], values: vec![f32::INFINITY, -0.0] });
    odd.tensors.insert("none".to_string(), Tensor { shape: vec![0, 3], values: vec![] });
    assert_eq!(from_bytes("w", &to_bytes(&odd).expect("bytes"), None).expect("weights"), odd);
    odd.tensors.insert("n".to_string(), Tensor { shape: vec![3], values: vec![1.0] });
    assert!(to_bytes(&odd).expect_err("a mistake").contains("`n`"));
}

fn the_bytes_are_settled() {
    let bytes = to_bytes(&some()).expect("bytes");
    let length = u64::from_le_bytes(bytes[..8].try_into().expect("eight bytes")) as usize;
    let header = std::str::from_utf8(&bytes[8..8 + length]).expect("text").trim_end();
    let zeros = "0".repeat(64);
    let (before, rest) = header.split_once(r#"\"checksum\":\""#).expect("a checksum");
    let blank = format!("{before}\\\"checksum\\\":\\\"{zeros}{}", &rest[64..]);
    let mut whole = bytes.clone();
    whole[8..8 + blank.len()].copy_from_slice(blank.as_bytes());
    assert_eq!(checksum(&whole), rest[..64], "of the file with zeros in its place");
    let expected = format!(
        "{}{zeros}{}",
        r#"{"__metadata__":{"mlx":"{\"checksum\":\""#,
        concat!(
            r#"\",\"fits\":{\"x\":[0.1,2.0],\"y\":[\"no\",\"yes\"]},\"seed\":1}"},"#,
            r#""dense_1.b":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"#,
            r#""dense_2.w":{"dtype":"F32","shape":[2,3],"data_offsets":[8,32]},"#,
            r#""scale":{"dtype":"F32","shape":[],"data_offsets":[32,36]}}"#,
        )
    );
    assert_eq!(blank, expected);
}

/// Each bit of a file: its length, names, shapes, offsets, metadata, checksum, padding and numbers.
fn no_bit_changes_unseen() {
    let mut weights = some();
    weights.tensors.insert("a \u{1}\"é".to_string(), tensor(&[1, 1]));
    weights.meta["settings"] = json!({"η": 1e-5, "name": "\u{1f}x", "checksum": "abc"});
    let bytes = to_bytes(&weights).expect("bytes");
    assert_eq!(from_bytes("w", &bytes, None).expect("weights"), weights);
    let mut damaged = 0;
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let wrong = from_bytes("w", &flipped, None).expect_err("a mistake");
        assert!(["E0321", "E0324"].contains(&wrong.code), "bit {bit}: {wrong:?}");
        damaged += usize::from(wrong.code == "E0324");
    }
    assert!(damaged > bytes.len(), "{damaged} of {} bits", bytes.len() * 8);
    // Whole bytes as well.
    for at in 0..bytes.len() {
        for byte in [0, b' ', b'"', b'0', b'x', 255] {
            let mut changed = bytes.clone();
            changed[at] = byte;
            assert!(changed == bytes || from_bytes("w", &changed, None).is_err(), "byte {at}: {byte}");
        }
    }
}

fn what_is_not_finite_is_named() {
    assert_eq!(not_finite("w", &some().lying()), None);
    let mut weights = some();
    let values = vec![f32::NAN, 1.0, f32::INFINITY];
    weights.tensors.insert("a".to_string(), Tensor { shape: vec![3], values });
    let warning = not_finite("w", &weights.lying()).expect("a warning");
    assert_eq!(warning.code, "W0321");
    assert!(warning.message.ends_with("are not finite: `a` in 2 of 3 numbers"), "{}", warning.message);
    (0..20).for_each(|at| drop(weights.tensors.insert(format!("b{at}"), weights.tensors["a"].clone())));
    let warning = not_finite("w", &weights.lying()).expect("a warning");
    assert!(warning.message.ends_with("3 numbers, and 13 more"), "{}", warning.message);
}

fn other_programs_files_are_read() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/reference/three_layer_weights.safetensors");
    let weights = from_bytes("w", &mlx::io::read(path.as_ref()).expect("a file"), None).expect("weights");
    assert_eq!(weights.tensors["dense_1.w"].shape, [5, 8]);
    assert_eq!(weights.tensors.len(), 6);
    assert_eq!(weights.meta, serde_json::Value::Null);
}

fn broken_files() {
    let (_, call) = program();
    let whole = to_bytes(&some()).expect("bytes");
    for length in 0..whole.len() {
        let wrong = from_bytes("w", &whole[..length], Some(call)).expect_err("a mistake");
        assert_eq!((wrong.code, wrong.labels[0].span), ("E0321", call));
    }
    let message = |bytes: &[u8]| from_bytes("w", bytes, None).expect_err("a mistake").message;
    assert!(message(b"abc").ends_with("it has 3 bytes and its header's length alone takes 8"));
    assert!(message(&whole[..whole.len() - 4]).ends_with("its tensors should have 36 bytes and 32 are there"));
    assert!(message(&[&whole[..], &[0]].concat()).ends_with("its tensors should have 36 bytes and 37 are there"));
    assert!(message(&[255; 40]).contains("its header should have"));
    let header = br#"{"a":{"dtype":"I64","shape":[1],"data_offsets":[0,8]},"b":{"dtype":"F16","shape":[0],"data_offsets":[8,8]}}"#;
    let other = [&(header.len() as u64).to_le_bytes()[..], header, &[0; 8]].concat();
    let expected = "`w` has tensors that are not 32-bit floats (F32): `a` holds I64, `b` holds F16";
    assert_eq!(message(&other), expected);
    let header = br#"{"a":{"dtype":"F32","shape":[288230376151711744],"data_offsets":[0,1152921504606846976]}}"#;
    assert!(message(&[&(header.len() as u64).to_le_bytes()[..], header].concat()).contains("0 are there"));
}

fn no_bytes_panic() {
    let whole = to_bytes(&some()).expect("bytes");
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::default() });
    let change = (0..whole.len(), any::<u8>());
    runner
        .run(&change, |(at, byte)| {
            let mut bytes = whole.clone();
            bytes[at] = byte;
            prop_assert!(bytes == whole || from_bytes("w", &bytes, None).is_err());
            Ok(())
        })
        .expect("no panic");
}

fn all_that_does_not_fit() {
    let wanted = |all: &[(&str, &[usize])]| -> BTreeMap<String, Vec<usize>> {
        all.iter().map(|(path, shape)| (path.to_string(), shape.to_vec())).collect()
    };
    let good = wanted(&[("dense_2.w", &[2, 3]), ("dense_1.b", &[2]), ("scale", &[])]);
    assert_eq!(fits("w", &some(), &good, None), Ok(()));
    let other = wanted(&[("dense_2.w", &[3, 2]), ("dense_1.b", &[2]), ("dense_1.w", &[4, 2]), ("a", &[])]);
    let wrong = fits("w", &some(), &other, None).expect_err("a mistake");
    let expected = "the weights in `w` do not fit the model
  missing: `a` []
  missing: `dense_1.w` [4, 2]
  another shape: `dense_2.w` is [2, 3] in the file, [3, 2] in the model
  surplus: `scale` []";
    assert_eq!((wrong.code, &*wrong.message), ("E0323", expected));
}
