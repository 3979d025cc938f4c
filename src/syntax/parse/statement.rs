//! From pest's pairs to the tree: types, parameters and statements.

use super::Rule;
use super::build::{Builder, take, take_if};
use crate::syntax::tree::*;
use pest::iterators::{Pair, Pairs};

impl Builder {
    pub fn params(&mut self, pair: Pair<Rule>) -> Vec<Param> {
        pair.into_inner().map(|param| self.param(param)).collect()
    }

    fn param(&mut self, pair: Pair<Rule>) -> Param {
        let mut inner = pair.into_inner();
        let name = self.name(take(&mut inner));
        let ty = take_if(&mut inner, Rule::type_).map(|ty| self.ty(ty));
        let default = take_if(&mut inner, Rule::equals).map(|_| self.expr(take(&mut inner)));
        Param { name, ty, default }
    }

    /// What stands behind `names`.
    pub fn names(&mut self, pair: Pair<Rule>) -> Names {
        if pair.as_rule() == Rule::string {
            return Names::File(self.text(pair));
        }
        let mut table = Vec::new();
        for pair in pair.into_inner() {
            let mut parts = pair.into_inner();
            let theirs = self.text(take(&mut parts));
            take(&mut parts);
            let ours = self.text(take(&mut parts));
            table.push(Renamed { theirs, ours, transposed: parts.next().is_some() });
        }
        Names::Table(table)
    }

    pub fn ty(&mut self, pair: Pair<Rule>) -> Type {
        let span = self.span(&pair);
        let mut kinds: Vec<Type> = Vec::new();
        for part in pair.into_inner().filter(|part| part.as_rule() == Rule::kind_) {
            kinds.push(self.kind_of_type(part));
        }
        match kinds.pop() {
            Some(only) if kinds.is_empty() => only,
            last => Type { span, kind: TypeKind::Either(kinds.into_iter().chain(last).collect()) },
        }
    }

    fn kind_of_type(&mut self, pair: Pair<Rule>) -> Type {
        let span = self.span(&pair);
        let mut parts: Vec<Pair<Rule>> = pair.into_inner().collect();
        if parts.len() > 1 {
            return Type { span, kind: TypeKind::Tuple(parts.into_iter().map(|part| self.ty(part)).collect()) };
        }
        let only = parts.pop().unwrap_or_else(|| unreachable!("a type is one of its kinds"));
        let kind = match only.as_rule() {
            Rule::list_type => {
                let mut inner = only.into_inner();
                take(&mut inner);
                TypeKind::List(Box::new(self.ty(take(&mut inner))))
            }
            Rule::tensor_type => {
                let mut inner = only.into_inner();
                let elem = take_if(&mut inner, Rule::elem).map_or(Elem::Float, |elem| self.elem(elem));
                TypeKind::Tensor(elem, inner.map(|axis| self.axis(axis)).collect())
            }
            _ => TypeKind::Word(match only.as_str() {
                "int" => Word::Int,
                "float" => Word::Float,
                "bool" => Word::Bool,
                "string" => Word::String,
                "fn" => Word::Fn,
                "layer" => Word::Layer,
                "model" => Word::Model,
                _ => Word::Distribution,
            }),
        };
        Type { span, kind }
    }

    fn elem(&mut self, pair: Pair<Rule>) -> Elem {
        let mut inner = pair.into_inner();
        let word = take(&mut inner);
        match word.as_str() {
            "int" => Elem::Int,
            "bool" => Elem::Bool,
            "float" => Elem::Float,
            _ => Elem::Class(Box::new(self.expr(take(&mut inner)))),
        }
    }

    fn axis(&mut self, pair: Pair<Rule>) -> Axis {
        let span = self.span(&pair);
        let inner = take(&mut pair.into_inner());
        match inner.as_rule() {
            Rule::rest => Axis::Rest(inner.into_inner().next().map(|name| self.name(name)), span),
            _ => Axis::Size(self.expr(inner)),
        }
    }

    pub fn statement(&mut self, pair: Pair<Rule>) -> Statement {
        let span = self.span(&pair);
        let inner = take(&mut pair.into_inner());
        let rule = inner.as_rule();
        let mut parts = inner.into_inner();
        let kind = match rule {
            Rule::assign => {
                let (target, ty, init) = self.binding(take(&mut parts));
                StatementKind::Assign(target, ty, init)
            }
            Rule::let_ | Rule::param_ | Rule::state => {
                take(&mut parts);
                let (target, ty, init) = self.binding(take(&mut parts));
                match rule {
                    Rule::let_ => StatementKind::Let(target, ty, init),
                    Rule::param_ => StatementKind::Param(target, ty, init),
                    _ => StatementKind::State(target, ty, init),
                }
            }
            Rule::out => {
                take(&mut parts);
                let value = take(&mut parts);
                let record = value.as_rule() == Rule::record;
                StatementKind::Out(if record { self.record(value) } else { self.expr(value) })
            }
            Rule::minimize => StatementKind::Minimize(Box::new(self.minimize(parts))),
            Rule::report => {
                take(&mut parts);
                let name = self.named(&mut parts);
                StatementKind::Report(name, self.expr(take(&mut parts)))
            }
            Rule::emit | Rule::predict | Rule::check => {
                take(&mut parts);
                let name = self.name(take(&mut parts));
                take(&mut parts);
                let value = self.expr(take(&mut parts));
                match rule {
                    Rule::emit => StatementKind::Emit(name, value),
                    Rule::predict => StatementKind::Predict(name, value),
                    _ => StatementKind::Check(name, value),
                }
            }
            _ => {
                take(&mut parts);
                let name = self.name(take(&mut parts));
                take(&mut parts);
                let value = self.expr(take(&mut parts));
                take(&mut parts);
                StatementKind::Calibrate(name, value, self.name(take(&mut parts)))
            }
        };
        Statement { span, kind }
    }

    /// `name =`, where it stands.
    fn named(&mut self, parts: &mut Pairs<Rule>) -> Option<Name> {
        let name = take_if(parts, Rule::name).map(|name| self.name(name))?;
        take(parts);
        Some(name)
    }

    fn binding(&mut self, pair: Pair<Rule>) -> (Target, Option<Type>, Init) {
        let mut inner = pair.into_inner();
        let target = self.target(take(&mut inner));
        let ty = take_if(&mut inner, Rule::type_).map(|ty| self.ty(ty));
        let draws = take(&mut inner).as_rule() == Rule::tilde;
        let value = self.expr(take(&mut inner));
        (target, ty, if draws { Init::Draw(value) } else { Init::Value(value) })
    }

    fn target(&mut self, pair: Pair<Rule>) -> Target {
        let mut inner = pair.into_inner();
        let first = self.name(take(&mut inner));
        if let Some(subscripts) = take_if(&mut inner, Rule::places) {
            return Target::Indexed(first, self.subscripts(subscripts));
        }
        let mut names = vec![first];
        names.extend(inner.map(|name| self.name(name)));
        match names.pop() {
            Some(only) if names.is_empty() => Target::One(only),
            last => Target::Several(names.into_iter().chain(last).collect()),
        }
    }

    fn minimize(&mut self, mut parts: Pairs<Rule>) -> Minimize {
        take(&mut parts);
        let name = self.named(&mut parts);
        let loss = self.expr(take(&mut parts));
        take(&mut parts);
        let using = self.expr(take(&mut parts));
        let mut whole = Minimize { name, loss, using, except: Vec::new(), over: Vec::new(), times: None };
        for part in parts {
            let rule = part.as_rule();
            let mut inner = part.into_inner();
            take(&mut inner);
            match rule {
                Rule::except => {
                    let optimizer = self.expr(take(&mut inner));
                    take(&mut inner);
                    whole.except.push((optimizer, inner.map(|path| self.text(path)).collect()));
                }
                Rule::over => whole.over = inner.map(|name| self.name(name)).collect(),
                _ => whole.times = Some(self.expr(take(&mut inner))),
            }
        }
        whole
    }
}
