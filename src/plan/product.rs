//! Contractions as batched matrix products. Permutations are strides; operands that strides cannot express are copied.

use super::kernel::{Level, Matrices, Storage};
use super::select::{Group, GroupKind, Location, Member, Selection, Value};
use super::view::{Layout, View};
use crate::ir::NodeId;

/// An operand: its matrices as a view, and its three sizes and strides.
type Matrix = (View, [usize; 3], [isize; 3]);

impl Selection<'_> {
    pub(super) fn dot(
        &mut self,
        id: NodeId,
        batch: &[(usize, usize)],
        contracted: &[(usize, usize)],
        [a, b]: [NodeId; 2],
        shape: Vec<usize>,
    ) -> Location {
        let storage = self.storage(id);
        let (view_a, view_b) = (self.view(a), self.view(b));
        let first: Vec<usize> = batch.iter().chain(contracted).map(|(i, _)| *i).collect();
        let second: Vec<usize> = batch.iter().chain(contracted).map(|(_, j)| *j).collect();
        let free = |view: &View, used: &[usize]| -> Vec<usize> {
            (0..view.layout.shape.len()).filter(|axis| !used.contains(axis)).collect()
        };
        let (free_a, free_b) = (free(&view_a, &first), free(&view_b, &second));
        let split = batch.len() + free_a.len();
        let groups_a = [first[..batch.len()].to_vec(), free_a, first[batch.len()..].to_vec()];
        let groups_b = [second[..batch.len()].to_vec(), second[batch.len()..].to_vec(), free_b];
        let (a, sizes_a, strides_a) = self.matrix(a, &view_a, &groups_a, storage);
        let (b, sizes_b, strides_b) = self.matrix(b, &view_b, &groups_b, storage);
        let [batch, rows, depth] = sizes_a;
        let matrices = Matrices { storage, batch, rows, depth, columns: sizes_b[2], a: strides_a, b: strides_b };
        let at = self.groups.len();
        let out = self.buffer(&shape, storage, at + 1);
        [&a, &b].into_iter().filter_map(|view| view.buffer).for_each(|buffer| self.read_in(buffer, at));
        let made = Member { value: Value::Made, level: Level::Full, storage, store: Some(out), regions: Vec::new() };
        self.groups.push(Group {
            kind: GroupKind::Product(matrices, [a, b], out),
            shape: shape.clone(),
            split: Some(split),
            containers: Vec::new(),
            members: vec![made],
            weight: 1,
            nodes: vec![id],
        });
        Location::Member(at, 0, Some(View::whole(out, shape)))
    }

    /// An operand with its axes in three groups, each with one stride.
    fn matrix(&mut self, node: NodeId, view: &View, groups: &[Vec<usize>; 3], storage: Storage) -> Matrix {
        let one = |axes: &Vec<usize>| {
            let part = view.layout.permute(axes);
            Layout::merged(&part.shape, &part.strides)
        };
        let merged = || Some([one(&groups[0])?, one(&groups[1])?, one(&groups[2])?]);
        // Operands that repeat, overlap, are not in memory or have another storage type are copied.
        let plain = view.start >= 0 && view.buffer.is_some_and(|buffer| self.is_stored_as(buffer, storage));
        let found = merged().filter(|axes| plain && axes.iter().all(|(size, stride)| *stride > 0 || *size <= 1));
        if let Some(axes) = found {
            return (view.clone(), axes.map(|(size, _)| size), axes.map(|(_, stride)| stride));
        }
        let laid = view.permute(&groups.concat());
        let buffer = self.copied(node, &laid, storage);
        let size = |axes: &Vec<usize>| axes.iter().map(|axis| view.layout.shape[*axis]).product::<usize>();
        let sizes = [size(&groups[0]), size(&groups[1]), size(&groups[2])];
        let strides = [(sizes[1] * sizes[2]) as isize, sizes[2] as isize, 1];
        (View::whole(buffer, sizes.to_vec()), sizes, strides)
    }
}
