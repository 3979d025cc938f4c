//! Draws by counting: Philox4x32-10 (Salmon et al., *Parallel random numbers: as easy as 1, 2, 3*, 2011). A draw depends
//! on what it is counted by and on nothing else: not on threads, batches or other draws.

use super::op::Draw;

const ROUNDS: usize = 10;

/// Four words from four counters and two keys.
pub fn philox(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    for _ in 0..ROUNDS {
        let (a, b) = (u64::from(counter[0]) * 0xD251_1F53, u64::from(counter[2]) * 0xCD9E_8D57);
        let (high, low) = (|x: u64| (x >> 32) as u32, |x: u64| x as u32);
        counter = [high(b) ^ counter[1] ^ key[0], low(b), high(a) ^ counter[3] ^ key[1], low(a)];
        key = [key[0].wrapping_add(0x9E37_79B9), key[1].wrapping_add(0xBB67_AE85)];
    }
    counter
}

/// The number of a place's path: its 64-bit FNV-1a hash.
pub fn path(path: &str) -> u64 {
    path.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// What the draws of a place in a step are counted from.
pub fn stream(seed: [u32; 2], path: u64, step: u32, repetition: u32) -> [u32; 4] {
    philox([path as u32, (path >> 32) as u32, step, repetition], seed)
}

/// The draw of an element of a row.
pub fn draw(draw: Draw, stream: [u32; 4], row: u32, element: u32) -> f64 {
    let words = philox([element / 4, row, stream[2], stream[3]], [stream[0], stream[1]]);
    let lane = (element % 4) as usize;
    match draw {
        Draw::Uniform => unit(words[lane]),
        Draw::Normal => pair(words[lane & 2], words[(lane & 2) + 1])[lane % 2],
    }
}

/// The draws of some elements of a row, from the `first` on: the same as [`draw`] gives one by one, for a fraction of the work.
pub fn draws<T>(draw_of: Draw, stream: [u32; 4], row: u32, first: u32, out: &mut [T], of: impl Fn(f64) -> T) {
    let (mut rest, mut element) = (out, first);
    while !rest.is_empty() {
        let from = (element % 4) as usize;
        let (cells, others) = rest.split_at_mut(rest.len().min(4 - from));
        if let [cell] = cells {
            *cell = of(draw(draw_of, stream, row, element));
        } else {
            let words = philox([element / 4, row, stream[2], stream[3]], [stream[0], stream[1]]);
            let lanes = match draw_of {
                Draw::Uniform => words.map(unit),
                Draw::Normal => {
                    let ([a, b], [c, d]) = (pair(words[0], words[1]), pair(words[2], words[3]));
                    [a, b, c, d]
                }
            };
            cells.iter_mut().zip(&lanes[from..]).for_each(|(cell, lane)| *cell = of(*lane));
        }
        element = element.wrapping_add(cells.len() as u32);
        rest = others;
    }
}

/// Two independent normal draws of two words (Box and Muller 1958): one minus a draw below 1 has a logarithm.
fn pair(first: u32, second: u32) -> [f64; 2] {
    let radius = (-2.0 * libm::log(1.0 - unit(first))).sqrt();
    let angle = 2.0 * std::f64::consts::PI * unit(second);
    let (sine, cosine) = libm::sincos(angle);
    [radius * cosine, radius * sine]
}

/// On `[0, 1)`, of 24 bits, which a 32-bit float holds exactly.
fn unit(word: u32) -> f64 {
    f64::from(word >> 8) / f64::from(1u32 << 24)
}
