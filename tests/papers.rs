//! Models as their papers have them, `tests/papers/*.mlx`: each is checked without a word and trained a few steps.

use crate::binary::{events, mlx, numbers, repository, train};
use libtest_mimic::Trial;
use std::fs;
use std::path::Path;

pub fn trials() -> Vec<Trial> {
    let files = fs::read_dir(repository("tests/papers")).expect("papers").map(|entry| entry.expect("readable").path());
    let mut files: Vec<_> = files.filter(|path| path.extension().is_some_and(|end| end == "mlx")).collect();
    files.sort();
    let trial = |path: std::path::PathBuf| {
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        Trial::test(format!("papers::{name}"), move || {
            let text = fs::read_to_string(&path).expect("a program");
            let folder = tempfile::tempdir().expect("a folder");
            // A line `// file d.csv: a,b | 1,2` is a data file.
            let files = text.lines().filter_map(|line| line.strip_prefix("// file ")?.split_once(": "));
            for (file, rows) in files {
                fs::write(folder.path().join(file), rows.replace(" | ", "\n") + "\n").expect("written");
            }
            let program = folder.path().join("model.mlx");
            fs::write(&program, &text).expect("written");
            assert!(text.lines().count() <= 60, "a paper is not longer than a page");
            if text.contains(" from ") && text.matches("\ntrain ").count() > 1 {
                return rewarded(folder.path());
            }
            let losses = numbers(&train(folder.path(), &program, &[]), "step", "loss");
            let (count, ends) = (losses.len(), losses.len() / 4);
            let mean = |some: &[f64]| some.iter().sum::<f64>() / some.len() as f64;
            let (before, after) = (mean(&losses[..ends]), mean(&losses[count - ends..]));
            assert!(after < 0.9 * before || after < before - 0.1, "the loss does not fall: {losses:?}");
            Ok(())
        })
    };
    files.into_iter().map(trial).collect()
}

/// Trains all blocks; what the last one is rewarded with rises.
fn rewarded(folder: &Path) -> Result<(), libtest_mimic::Failed> {
    let output = mlx(folder, &["train", "model.mlx", "--all", "--json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let rewards = numbers(&events(&output), "eval", "reward");
    let rewards: Vec<f64> = rewards.into_iter().filter(|reward| !reward.is_nan()).collect();
    let (first, last) = (rewards[0], rewards[rewards.len() - 1]);
    assert!(last > first + 0.15, "the reward does not rise: {rewards:?}");
    Ok(())
}
