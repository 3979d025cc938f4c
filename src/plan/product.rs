//! Contractions as products of matrices. Permutations are strides; only what strides cannot say is copied.

use super::build::{Builder, Place};
use super::kernel::{Body, BufferId, Instruction, Kernel, Level, Loop, Matrices};
use super::view::View;
use crate::ir::NodeId;

impl Builder<'_> {
    pub(super) fn dot(
        &mut self,
        id: NodeId,
        batch: &[(usize, usize)],
        contracted: &[(usize, usize)],
        a: NodeId,
        b: NodeId,
        shape: Vec<usize>,
    ) -> Result<Place, String> {
        let (view_a, view_b) = (self.view(a), self.view(b));
        let first: Vec<usize> = batch.iter().chain(contracted).map(|(i, _)| *i).collect();
        let second: Vec<usize> = batch.iter().chain(contracted).map(|(_, j)| *j).collect();
        let free = |view: &View, used: &[usize]| -> Vec<usize> {
            (0..view.shape.len()).filter(|axis| !used.contains(axis)).collect()
        };
        let (free_a, free_b) = (free(&view_a, &first), free(&view_b, &second));
        let groups_a = [first[..batch.len()].to_vec(), free_a.clone(), first[batch.len()..].to_vec()];
        let groups_b = [second[..batch.len()].to_vec(), second[batch.len()..].to_vec(), free_b];
        let (a, sizes_a) = self.matrix(a, &view_a, &groups_a);
        let (b, sizes_b) = self.matrix(b, &view_b, &groups_b);
        let kernel = self.plan.kernels.len();
        let out = self.buffer(&shape, kernel + 1);
        let [batches, rows, depth] = sizes_a;
        [a.0, b.0].into_iter().for_each(|buffer| self.reads(kernel, buffer));
        let matrices = Matrices { batch: batches, rows, depth, columns: sizes_b[2], a, b, out };
        let mut body = Loop::new(shape.clone(), Some(batch.len() + free_a.len()));
        let view = View::whole(out, shape);
        body.instructions.push(Instruction::Load(view.clone(), Level::Full));
        self.plan.kernels.push(Kernel { nodes: vec![id], body: Body::Product(matrices, body) });
        Ok(Place::Held(kernel, 0, Some(view)))
    }

    /// An operand with its axes in three groups, each with one stride.
    fn matrix(
        &mut self,
        node: NodeId,
        view: &View,
        groups: &[Vec<usize>; 3],
    ) -> ((BufferId, usize, [isize; 3]), [usize; 3]) {
        let merged = |view: &View, groups: &[Vec<usize>; 3]| -> Option<[(usize, isize); 3]> {
            let one = |axes: &Vec<usize>| {
                let part = view.permute(axes);
                View::merged(&part.shape, &part.strides)
            };
            Some([one(&groups[0])?, one(&groups[1])?, one(&groups[2])?])
        };
        // What repeats, or is not in memory, is laid out.
        let found = view.buffer.zip(merged(view, groups)).filter(|_| view.start >= 0);
        if let Some((buffer, axes)) =
            found.filter(|(_, axes)| axes.iter().all(|(size, stride)| *stride > 0 || *size <= 1))
        {
            return ((buffer, view.start as usize, axes.map(|(_, stride)| stride)), axes.map(|(size, _)| size));
        }
        let laid = view.permute(&groups.concat());
        let buffer = self.copied(node, &laid);
        let size = |axes: &Vec<usize>| axes.iter().map(|axis| view.shape[*axis]).product::<usize>();
        let sizes = [size(&groups[0]), size(&groups[1]), size(&groups[2])];
        ((buffer, 0, [(sizes[1] * sizes[2]) as isize, sizes[2] as isize, 1]), sizes)
    }
}
