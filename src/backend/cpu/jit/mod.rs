//! Loops as machine code of x86-64: AVX-512, or AVX2 with FMA. A compiled loop computes the same bits as the interpreter
//! (`tile`), which remains for other processors, for the loops that machine code does not do, and as what it is held against.
//!
//! | file | what |
//! |---|---|
//! | `lower`, `operation`, `function` | instructions to steps on vectors |
//! | `steps` | what those are |
//! | `space` | where they read and write |
//! | `emit`, `arithmetic`, `transfer` | steps to machine code |
//! | `registers` | which value is in which register |
//! | `frame` | working memory of the function |
//! | `assembler` | instructions as bytes |
//! | `native` | the function, and a call of it for a share |
//! | `check` | the same with the interpreter beside it |
//!
//! Left to the interpreter: 64-bit floats, remainders and quotients of ints, `sin`, `cos`, powers, sums of ints over columns.

mod arithmetic;
mod assembler;
mod check;
mod emit;
mod frame;
mod function;
mod lower;
mod native;
mod operation;
mod registers;
mod space;
mod steps;
mod transfer;

pub use check::run_checked;
pub use native::Native;

/// What runs loops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    Interpreter,
    /// Machine code of 256-bit vectors.
    Avx2,
    /// Of 512 bits.
    Avx512,
    /// The best machine code, each loop held against the interpreter in its first runs and some later ones: a panic if a bit
    /// differs.
    Checked,
}

impl Engine {
    /// What `MLX_JIT` names (`off`, `avx2` or `check`), or the best that the processor has.
    pub fn chosen() -> Engine {
        match std::env::var("MLX_JIT").as_deref() {
            Ok("off") => Engine::Interpreter,
            Ok("avx2") if Engine::Avx2.is_there() => Engine::Avx2,
            Ok("check") => Engine::Checked,
            _ => Engine::best(),
        }
    }

    /// The best that the processor has.
    pub fn best() -> Engine {
        let all = [Engine::Avx512, Engine::Avx2];
        all.into_iter().find(|engine| engine.is_there()).unwrap_or(Engine::Interpreter)
    }

    /// Whether the processor has it.
    pub fn is_there(self) -> bool {
        match self {
            Engine::Interpreter | Engine::Checked => true,
            Engine::Avx2 => has_avx2(),
            Engine::Avx512 => has_avx2() && has_avx512(),
        }
    }
}

#[cfg(target_arch = "x86_64")]
fn has_avx2() -> bool {
    std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma")
}

#[cfg(target_arch = "x86_64")]
fn has_avx512() -> bool {
    std::arch::is_x86_feature_detected!("avx512f")
        && std::arch::is_x86_feature_detected!("avx512dq")
        && std::arch::is_x86_feature_detected!("avx512bw")
        && std::arch::is_x86_feature_detected!("avx512vl")
}

#[cfg(not(target_arch = "x86_64"))]
fn has_avx2() -> bool {
    false
}

#[cfg(not(target_arch = "x86_64"))]
fn has_avx512() -> bool {
    false
}
