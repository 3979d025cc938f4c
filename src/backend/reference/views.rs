//! Reading and writing through strides, and at places that other tensors name.

use super::watch::Watch;
use crate::backend::Tensor;
use crate::backend::tensor::places_while;

/// The elements of a strided view.
pub(super) fn read(a: &Tensor, shape: &[usize], strides: &[isize], start: isize, watch: &Watch) -> Vec<f64> {
    let mut values = Vec::with_capacity(shape.iter().product());
    places_while(shape, strides, start, |count| watch.goes_on(count), |place| values.push(a.values[place]));
    values
}

/// Zeros with tensors added at strided places.
pub(super) fn write(parts: &[(&Tensor, Vec<isize>, isize)], shape: &[usize], watch: &Watch) -> Vec<f64> {
    let mut values = vec![0.0; shape.iter().product()];
    for (part, strides, start) in parts {
        let mut from = part.values.iter();
        let add = |place: usize| values[place] += from.next().copied().unwrap_or(0.0);
        places_while(&part.shape, strides, *start, |count| watch.goes_on(count), add);
    }
    values
}

/// `[b.., v, t..]` at int `[b.., i..]` is `[b.., i.., t..]`.
pub(super) fn gather(batch: usize, from: &Tensor, at: &Tensor, watch: &Watch) -> Result<Vec<f64>, String> {
    let (length, width) = (from.shape[batch], from.shape[batch + 1..].iter().product::<usize>());
    let each: usize = at.shape[batch..].iter().product();
    let mut values = Vec::with_capacity(at.values.len() * width);
    for (number, place) in at.values.iter().enumerate().take_while(|_| watch.goes_on(width + 1)) {
        let row = number / each * length + inside(*place, length)?;
        values.extend_from_slice(&from.values[row * width..(row + 1) * width]);
    }
    Ok(values)
}

/// Updates `[b.., i.., t..]` added at int `[b.., i..]` into `[b.., size, t..]`.
pub(super) fn scatter_add(
    batch: usize,
    at: &Tensor,
    updates: &Tensor,
    shape: &[usize],
    watch: &Watch,
) -> Result<Vec<f64>, String> {
    let (length, width) = (shape[batch], shape[batch + 1..].iter().product::<usize>());
    let each: usize = at.shape[batch..].iter().product();
    let mut values = vec![0.0; shape.iter().product()];
    for (number, place) in at.values.iter().enumerate().take_while(|_| watch.goes_on(width + 1)) {
        let row = number / each * length + inside(*place, length)?;
        let update = &updates.values[number * width..(number + 1) * width];
        values[row * width..(row + 1) * width].iter_mut().zip(update).for_each(|(sum, value)| *sum += value);
    }
    Ok(values)
}

fn inside(place: f64, length: usize) -> Result<usize, String> {
    if place >= 0.0 && place < length as f64 {
        return Ok(place as usize);
    }
    Err(format!("place {place} is outside of an axis of {length}"))
}
