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
//!
//! Left to the interpreter: 64-bit floats, remainders and quotients of ints, `sin`, `cos`, powers, sums of ints over columns.

mod arithmetic;
mod assembler;
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

pub use native::Native;

/// What runs loops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    Interpreter,
    /// Machine code of 256-bit vectors.
    Avx2,
    /// Of 512 bits.
    Avx512,
}

impl Engine {
    /// The best one that the processor has; `MLX_JIT` can take another: `off` or `avx2`.
    pub fn of_processor() -> Engine {
        let wanted = std::env::var("MLX_JIT").unwrap_or_default();
        let all = [Engine::Avx512, Engine::Avx2];
        let allowed = |engine: &&Engine| match wanted.as_str() {
            "off" => false,
            "avx2" => **engine == Engine::Avx2,
            _ => true,
        };
        all.iter().filter(allowed).find(|engine| engine.is_there()).copied().unwrap_or(Engine::Interpreter)
    }

    /// Whether the processor has it.
    pub fn is_there(self) -> bool {
        #[cfg(target_arch = "x86_64")]
        {
            use std::arch::is_x86_feature_detected as has;
            let narrow = has!("avx2") && has!("fma");
            let wide = || has!("avx512f") && has!("avx512dq") && has!("avx512bw") && has!("avx512vl");
            match self {
                Engine::Interpreter => true,
                Engine::Avx2 => narrow,
                Engine::Avx512 => narrow && wide(),
            }
        }
        #[cfg(not(target_arch = "x86_64"))]
        {
            self == Engine::Interpreter
        }
    }
}
