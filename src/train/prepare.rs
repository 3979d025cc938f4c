//! Fitted values and columns, in 64 bits, on threads: rows go chunk by chunk through the reference executor, so that no more
//! than a few chunks of what lies between source and column is in memory.

use crate::backend::{Tensor, reference};
use crate::ir::{DType, Graph, NodeId, Op};
use crate::lower::program::{Program, Slot};
use crate::passes::{Streamed, streamed};
use crate::plan::Storage;
use crate::train::column::Column;
use crate::train::dataset::Opened;
use crate::train::run::RunError;
use std::collections::{BTreeMap, BTreeSet};

/// Elements of a source column in a chunk: what is made of them stays in the second cache.
const CHUNK: usize = 32 * 1024;

pub struct Preparation<'p> {
    pub program: &'p Program,
    pub data: &'p Opened<'p>,
    pub threads: usize,
}

impl Preparation<'_> {
    /// Every fitted value: those that are known, the others on the training rows. They go into `feed`.
    pub fn fit(&self, known: &BTreeMap<String, Tensor>, feed: &mut [Tensor]) -> Result<Vec<Tensor>, RunError> {
        let mut fits = Vec::new();
        for fit in &self.program.fits {
            let fitted = match known.get(&fit.name) {
                Some(fitted) => fitted.clone(),
                None => self.value(fit.value, feed)?,
            };
            feed[fit.input] = fitted.clone();
            fits.push(fitted);
        }
        Ok(fits)
    }

    /// A value without rows, of the training rows.
    fn value(&self, root: NodeId, feed: &[Tensor]) -> Result<Tensor, RunError> {
        let rows = self.data.splits[0];
        let streamed = streamed(&self.program.graph, &self.program.rows, &[root], self.program.inputs);
        let made = match &streamed {
            None => {
                let (graph, feed) = (self.settled(&self.program.graph, rows.len()), self.with_raw(feed, rows));
                reference::run(&graph, &[root], &feed)?
            }
            Some(streamed) => {
                let feed = self.joined(streamed, rows, feed)?;
                reference::run(&self.settled(&streamed.graph, 0), &streamed.roots, &feed)?
            }
        };
        made.into_iter().next().ok_or_else(|| "nothing was computed".to_string().into())
    }

    /// The columns of some rows; the inputs that are `wide` in 64 bits. Those that nothing reads are empty.
    pub fn columns(&self, rows: &[usize], feed: &[Tensor], wide: &[u32]) -> Result<Vec<Column>, RunError> {
        let read = self.read();
        let wanted: Vec<usize> = (0..self.program.columns.len()).filter(|at| read.contains(at)).collect();
        let roots: Vec<NodeId> = wanted.iter().map(|at| self.program.columns[*at].value).collect();
        let held = |column: &Slot| match self.program.graph.dtype(column.value) {
            DType::Float if wide.contains(&(column.input as u32)) => Storage::F64,
            dtype => Storage::of(dtype),
        };
        let mut columns: Vec<Column> = self.program.columns.iter().map(|column| Column::empty(held(column))).collect();
        let mut append = |made: Vec<Tensor>| {
            for (at, tensor) in wanted.iter().zip(made) {
                columns[*at].extend(tensor.values.into_iter());
            }
        };
        match streamed(&self.program.graph, &self.program.rows, &roots, self.program.inputs) {
            None => {
                let (graph, feed) = (self.settled(&self.program.graph, rows.len()), self.with_raw(feed, rows));
                append(reference::run(&graph, &roots, &feed)?);
            }
            Some(streamed) => {
                let feed = self.joined(&streamed, rows, feed)?;
                self.each_chunk(&streamed.graph, &streamed.roots, rows, &feed)?.into_iter().for_each(append);
            }
        }
        Ok(columns.into_iter().map(Column::narrowed).collect())
    }

    /// The columns that losses, reports and predictions read.
    fn read(&self) -> BTreeSet<usize> {
        let program = self.program;
        let told = program.reports.iter().chain(&program.predictions).map(|(_, node)| *node);
        let roots: Vec<NodeId> = std::iter::once(program.loss).chain(told).collect();
        let column = |node: NodeId| match program.graph.node(node).op {
            Op::Input { number, .. } => program.columns.iter().position(|column| column.input == number as usize),
            _ => None,
        };
        program.graph.needed(&roots).into_iter().filter_map(column).collect()
    }

    /// What is fed, with the joins of every pass over the rows.
    fn joined(&self, streamed: &Streamed, rows: &[usize], feed: &[Tensor]) -> Result<Vec<Tensor>, RunError> {
        let mut feed = feed.to_vec();
        feed.resize(self.program.inputs + streamed.joins.len() + streamed.sizes.len(), Tensor::scalar(0.0));
        let all = [(self.program.rows.clone(), rows.len() as i64)];
        for (input, size) in &streamed.sizes {
            feed[*input as usize] = Tensor::scalar(size.settle(&all).settled().unwrap_or(0) as f64);
        }
        for pass in 0..streamed.passes() {
            let joins: Vec<_> = streamed.of_pass(pass).collect();
            let roots: Vec<NodeId> = joins.iter().map(|join| join.of_batch).collect();
            let mut parts = self.each_chunk(&streamed.graph, &roots, rows, &feed)?.into_iter();
            let mut sums = parts.next().unwrap_or_default();
            for part in parts {
                for ((sum, part), join) in sums.iter_mut().zip(part).zip(&joins) {
                    let cells = sum.values.iter_mut().zip(part.values);
                    cells.for_each(|(sum, part)| *sum = join.how.join(*sum, part));
                }
            }
            for (join, sum) in joins.iter().zip(sums) {
                feed[join.input as usize] = sum;
            }
        }
        Ok(feed)
    }

    /// The roots on every chunk of the rows, in their order. Chunks do not depend on the number of threads.
    fn each_chunk(
        &self,
        graph: &Graph,
        roots: &[NodeId],
        rows: &[usize],
        feed: &[Tensor],
    ) -> Result<Vec<Vec<Tensor>>, RunError> {
        let size = (CHUNK / self.data.widest().max(1)).clamp(1, 4096);
        let (full, rest) = (self.settled(graph, size), self.settled(graph, rows.len() % size));
        let one = |rows: &[usize]| {
            let graph = if rows.len() == size { &full } else { &rest };
            reference::run(graph, roots, &self.with_raw(feed, rows))
        };
        let chunks: Vec<&[usize]> = rows.chunks(size).collect();
        let share = chunks.len().div_ceil(self.threads.max(1)).max(1);
        let made: Result<Vec<Vec<Tensor>>, String> = if chunks.len() < 2 || self.threads < 2 {
            chunks.into_iter().map(one).collect()
        } else {
            std::thread::scope(|scope| {
                let work = |own: &[&[usize]]| own.iter().map(|rows| one(rows)).collect::<Result<Vec<_>, String>>();
                let threads: Vec<_> = chunks.chunks(share).map(|own| scope.spawn(move || work(own))).collect();
                let parts =
                    threads.into_iter().map(|thread| thread.join().map_err(|_| "a thread ended".to_string())?);
                parts.collect::<Result<Vec<Vec<_>>, String>>().map(|parts| parts.into_iter().flatten().collect())
            })
        };
        Ok(made?)
    }

    /// What is fed, and the source columns on some rows.
    fn with_raw(&self, feed: &[Tensor], rows: &[usize]) -> Vec<Tensor> {
        let mut feed = feed.to_vec();
        for (at, input) in self.program.raw.iter().enumerate() {
            feed[*input] = self.data.column(at, rows);
        }
        feed
    }

    fn settled(&self, graph: &Graph, rows: usize) -> Graph {
        graph.settle(&[(self.program.rows.clone(), rows as i64)])
    }
}
