//! Shapes with their elements.

/// Elements in row-major order. Ints and truth values (0 and 1) are held exactly.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    pub shape: Vec<usize>,
    pub values: Vec<f64>,
}

impl Tensor {
    pub fn scalar(value: f64) -> Tensor {
        Tensor { shape: Vec::new(), values: vec![value] }
    }

    /// The same number everywhere.
    pub fn filled(shape: Vec<usize>, value: f64) -> Tensor {
        let count = shape.iter().product();
        Tensor { shape, values: vec![value; count] }
    }

    /// How far apart neighbours along each axis are.
    pub fn strides(&self) -> Vec<isize> {
        strides(&self.shape)
    }
}

/// The row-major strides of a shape.
pub fn strides(shape: &[usize]) -> Vec<isize> {
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis] as isize;
    }
    strides
}

/// The most places that are visited in a row.
const ROW: usize = 1 << 16;

/// Visits the places of a strided view in row-major order of its shape.
pub fn places(shape: &[usize], strides: &[isize], start: isize, visit: impl FnMut(usize)) {
    places_while(shape, strides, start, |_| true, visit);
}

/// The same, as long as it shall go on: asked before so many places in a row.
pub fn places_while(
    shape: &[usize],
    strides: &[isize],
    start: isize,
    mut goes_on: impl FnMut(usize) -> bool,
    mut visit: impl FnMut(usize),
) {
    if shape.contains(&0) {
        return;
    }
    let Some((inner, outer)) = shape.split_last() else { return visit(start as usize) };
    let step = strides[shape.len() - 1];
    let mut counter = vec![0; outer.len()];
    let mut at = start;
    loop {
        let mut place = at;
        let mut left = *inner;
        while left > 0 {
            let row = left.min(ROW);
            if !goes_on(row) {
                return;
            }
            for _ in 0..row {
                visit(place as usize);
                place += step;
            }
            left -= row;
        }
        let mut axis = outer.len();
        loop {
            if axis == 0 {
                return;
            }
            axis -= 1;
            counter[axis] += 1;
            at += strides[axis];
            if counter[axis] < outer[axis] {
                break;
            }
            at -= strides[axis] * outer[axis] as isize;
            counter[axis] = 0;
        }
    }
}
