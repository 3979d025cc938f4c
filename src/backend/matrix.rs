//! Matrices in row-major order, one at a time, in f64: what every backend does with the triangles of one.

/// How far the two halves of a symmetric matrix may lie apart by rounding, relative to the diagonal.
const ASYMMETRY: f64 = 1e-3;

/// Makes of a symmetric positive definite matrix of `size` rows the lower triangle whose product with its transpose it is.
pub(super) fn cholesky(a: &mut [f64], size: usize, goes_on: impl Fn(usize) -> bool) -> Result<(), String> {
    symmetric(a, size)?;
    for row in 0..size {
        if !goes_on(row * row) {
            return Ok(());
        }
        let (before, own) = a.split_at_mut(row * size);
        for column in 0..=row {
            let other = if column == row { None } else { Some(&before[column * size..][..=column]) };
            let sum: f64 = match other {
                Some(other) => own[..column].iter().zip(other).map(|(x, y)| x * y).sum(),
                None => own[..row].iter().map(|x| x * x).sum(),
            };
            let rest = own[column] - sum;
            own[column] = match other {
                Some(other) => rest / other[column],
                None if rest > 0.0 => rest.sqrt(),
                None => return Err(format!("the matrix is not positive definite: in row {row} {rest} is left")),
            };
        }
        own[row + 1..size].fill(0.0);
    }
    Ok(())
}

/// What is wrong with one of the matrices of a shape, which is named if there are several.
pub(super) fn of(number: usize, shape: &[usize], wrong: String) -> String {
    let several = shape.iter().rev().skip(2).product::<usize>() > 1;
    if several { format!("of the matrices number {number}: {wrong}") } else { wrong }
}

/// Puts the mean of each element and its mirror image into the lower triangle; they differ by no more than rounding.
fn symmetric(a: &mut [f64], size: usize) -> Result<(), String> {
    for row in 0..size {
        for column in 0..row {
            let (below, above) = (a[row * size + column], a[column * size + row]);
            let scale = (a[row * size + row] * a[column * size + column]).abs().sqrt();
            if (below - above).abs() > ASYMMETRY * scale {
                let places = format!("at [{row}, {column}] it is {below}, at [{column}, {row}] {above}");
                return Err(format!("the matrix is not symmetric: {places}"));
            }
            a[row * size + column] = (below + above) / 2.0;
        }
    }
    Ok(())
}

/// Makes of b, `size` rows of `width`, the x with `l x = b` or `lᵀ x = b`.
pub(super) fn triangular_solve(
    transposed: bool,
    l: &[f64],
    b: &mut [f64],
    (size, width): (usize, usize),
    goes_on: impl Fn(usize) -> bool,
) {
    for step in (0..size).take_while(|step| goes_on(step * width)) {
        let row = if transposed { size - 1 - step } else { step };
        let (before, rest) = b.split_at_mut(row * width);
        let (own, after) = rest.split_at_mut(width);
        let solved = if transposed { after } else { before };
        let first = if transposed { row + 1 } else { 0 };
        for (at, other) in solved.chunks_exact(width.max(1)).enumerate() {
            let other_row = first + at;
            let factor = if transposed { l[other_row * size + row] } else { l[row * size + other_row] };
            own.iter_mut().zip(other).for_each(|(x, y)| *x -= factor * y);
        }
        let divisor = l[row * size + row];
        own.iter_mut().for_each(|x| *x /= divisor);
    }
}
