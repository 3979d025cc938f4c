//! Products of matrices: every way of one against 64-bit floats, and bit by bit against one another.

use crate::trial;
use libtest_mimic::Trial;
use mlx::backend::cpu::pool::Pool;
use mlx::backend::cpu::product::kernel::Family;
use mlx::backend::cpu::product::offsets::{Offsets, Side};
use mlx::backend::cpu::product::room::Rooms;
use mlx::backend::cpu::product::single::Single;

pub fn trials() -> Vec<Trial> {
    vec![
        trial("products::every_way_makes_the_same_bits", every_way_makes_the_same_bits),
        trial("products::axes_become_strides_where_they_can", axes_become_strides),
        trial("products::operands_that_do_not_fit_are_refused", operands_that_do_not_fit),
    ]
}

/// Numbers that look drawn.
struct Draws(u64);

impl Draws {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 >> 20
    }

    fn below(&mut self, end: usize) -> usize {
        self.next() as usize % end
    }

    fn of(&mut self, values: &[usize]) -> usize {
        values[self.below(values.len())]
    }

    fn floats(&mut self, len: usize) -> Vec<f32> {
        (0..len).map(|_| (self.next() & 0xff_ffff) as f32 / 16_777_216.0 - 0.5).collect()
    }

    /// Rows or columns.
    fn lanes(&mut self) -> usize {
        match self.below(6) {
            0 => 1,
            1 => 1 + self.below(8),
            2 => 16 * (1 + self.below(4)),
            3 => self.of(&[47, 97, 131, 265, 300]),
            _ => 1 + self.below(40),
        }
    }

    /// Of nothing, in one block, at its edges, in several, and so much that threads divide it.
    fn depth(&mut self) -> usize {
        match self.below(6) {
            5 => self.of(&[2048, 2069, 16_384, 16_411]),
            0 => self.below(3),
            1 => 1 + self.below(40),
            2 => 511 + self.below(4),
            3 => 1000 + self.below(600),
            _ => 1 + self.below(300),
        }
    }

    /// An operand: row by row, column by column, spread out and the same for all of the batch, or windows of a picture.
    fn side(&mut self, batch: usize, lanes: usize, depth: usize) -> Side {
        let axis = |size: usize, stride: usize| Offsets::new(&[(size, stride as isize)]);
        let divisor = |of: usize, most: usize| (1..=most).rev().find(|part| of.is_multiple_of(*part)).unwrap_or(1);
        match self.below(6) {
            0 | 1 => Side { batch: axis(batch, lanes * depth), lanes: axis(lanes, depth), depth: axis(depth, 1) },
            2 | 3 => Side { batch: axis(batch, lanes * depth), lanes: axis(lanes, 1), depth: axis(depth, lanes) },
            4 => Side { batch: axis(batch, 0), lanes: axis(lanes, 2 * depth), depth: axis(depth, 2) },
            _ => {
                let (width, taps) = (self.of(&[7, 8, 16, 32]), divisor(depth, 3));
                let width = divisor(lanes, width);
                Side {
                    batch: axis(batch, 3),
                    lanes: Offsets::new(&[(lanes / width, 19), (width, 1)]),
                    depth: Offsets::new(&[(depth / taps, 23), (taps, 1)]),
                }
            }
        }
    }
}

/// In 64 bits, and the sum of magnitudes that its rounding is measured by.
fn expected([batch, rows, depth, columns]: [usize; 4], a: (&Side, &[f32]), b: (&Side, &[f32])) -> Vec<(f64, f64)> {
    let at = |(side, floats): (&Side, &[f32]), matrix: usize, lane: usize, step: usize| {
        f64::from(floats[(side.batch.at(matrix) + side.lanes.at(lane) + side.depth.at(step)) as usize])
    };
    let mut sums = vec![(0.0, 0.0); batch * rows * columns];
    for (place, sum) in sums.iter_mut().enumerate() {
        let (matrix, row, column) = (place / columns / rows, place / columns % rows, place % columns);
        for step in 0..depth {
            let product = at(a, matrix, row, step) * at(b, matrix, column, step);
            *sum = (sum.0 + product, sum.1 + product.abs());
        }
    }
    sums
}

/// Each family of kernels, one to three threads, and more than a depth has parts.
fn every_way_makes_the_same_bits() {
    let pools: Vec<Pool> = [1, 2, 3, 5].into_iter().map(Pool::new).collect();
    let mut draws = Draws(88_172_645_463_325_252);
    for case in 0..400 {
        let batch = if draws.below(3) == 0 { 1 + draws.below(5) } else { 1 };
        let sizes = [batch, draws.lanes(), draws.depth(), draws.lanes()];
        let [_, rows, depth, columns] = sizes;
        if batch * rows * depth * columns > 5_000_000 {
            continue;
        }
        let (left, right) = (draws.side(batch, rows, depth), draws.side(batch, columns, depth));
        let (a, b) = (draws.floats(left.extent().1), draws.floats(right.extent().1));
        let expected = expected(sizes, (&left, &a), (&right, &b));
        let mut first: Option<Vec<f32>> = None;
        for (family, pool) in Family::all().into_iter().flat_map(|family| pools.iter().map(move |pool| (family, pool)))
        {
            let single = Single::with(family, sizes, left.clone(), right.clone(), pool.threads());
            let mut rooms = Rooms::new(pool.threads());
            single.reserve(&mut rooms);
            let mut made = vec![f32::NAN; batch * rows * columns];
            let operands = single.operands((&a, 0), (&b, 0)).expect("operands that fit");
            single.run(operands, &mut made, &mut rooms, pool);
            let way = format!("case {case}, {sizes:?}, {} lanes, {} threads", family.lanes, pool.threads());
            for (at, (x, (sum, size))) in made.iter().zip(&expected).enumerate() {
                assert!((f64::from(*x) - sum).abs() <= 1e-6 * size, "{way}: element {at} is {x}, not {sum}");
            }
            let first = first.get_or_insert_with(|| made.clone());
            let differ = first.iter().zip(&made).position(|(x, y)| x.to_bits() != y.to_bits());
            assert_eq!(differ, None, "{way}: other bits than one thread and the first family");
        }
    }
}

fn axes_become_strides() {
    assert_eq!(Offsets::new(&[(4, 6), (3, 2)]).stride(), Some(2));
    assert_eq!(Offsets::new(&[(4, 7), (1, 100)]).stride(), Some(7));
    assert_eq!(Offsets::new(&[(4, 0), (3, 0)]).stride(), Some(0));
    let windows = Offsets::new(&[(2, 5), (3, 1)]);
    assert_eq!(windows.stride(), None);
    assert_eq!((0..windows.count()).map(|at| windows.at(at)).collect::<Vec<_>>(), [0, 1, 2, 5, 6, 7]);
    assert_eq!(Offsets::new(&[(2, 5), (3, -1)]).bounds(), (-2, 5));
}

fn operands_that_do_not_fit() {
    let side = |lanes: isize| Side {
        batch: Offsets::new(&[(1, 0)]),
        lanes: Offsets::new(&[(3, lanes)]),
        depth: Offsets::new(&[(4, 1)]),
    };
    let single = Single::new([1, 3, 4, 3], side(4), side(-4), 1);
    let floats = [0.0; 12];
    assert!(single.operands((&floats, 0), (&floats, 8)).is_some());
    assert!(single.operands((&floats, 1), (&floats, 8)).is_none(), "the left one ends too soon");
    assert!(single.operands((&floats, 0), (&floats, 7)).is_none(), "the right one starts before its buffer");
    assert!(single.operands((&floats, usize::MAX), (&floats, 8)).is_none());
    let nothing = Single::new([1, 3, 0, 3], side(4), side(-4), 1);
    assert!(nothing.operands((&[], 0), (&[], 0)).is_some(), "nothing is read where the depth is 0");
}
