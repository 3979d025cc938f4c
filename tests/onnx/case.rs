//! A recorded case, and the pieces of text that read its inputs.

use serde_json::Value;

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    Float,
    Int,
    Bool,
}

#[derive(Clone, Debug)]
pub struct Tensor {
    pub kind: Kind,
    pub shape: Vec<usize>,
    pub values: Vec<f64>,
}

pub struct Case {
    pub name: String,
    pub op: String,
    attributes: Value,
    pub inputs: Vec<Option<Tensor>>,
    pub outputs: Vec<Option<Tensor>>,
}

/// The text of a case: functions, statements, and for each output its element at the indices `i0`, `i1`, …; `None` is not compared.
#[derive(Default)]
pub struct Program {
    pub functions: String,
    pub lets: Vec<String>,
    pub elements: Vec<Option<String>>,
}

/// Or why there is none.
pub type Made = Result<Program, &'static str>;

impl Program {
    pub fn of(element: String) -> Program {
        Program { elements: vec![Some(element)], ..Program::default() }
    }
}

impl Tensor {
    fn read(value: &Value) -> Option<Tensor> {
        let shape = value["shape"].as_array()?.iter().filter_map(Value::as_u64).map(|size| size as usize).collect();
        let number = |value: &Value| match value.as_str() {
            Some(word) => word.parse().expect("a number"),
            None => value.as_f64().expect("a number"),
        };
        let kind = match value["kind"].as_str()? {
            "float" => Kind::Float,
            "int" => Kind::Int,
            _ => Kind::Bool,
        };
        Some(Tensor { kind, shape, values: value["values"].as_array()?.iter().map(number).collect() })
    }
}

impl Case {
    pub fn read(line: &str) -> Case {
        let value: Value = serde_json::from_str(line).expect("JSON");
        let tensors = |name: &str| value[name].as_array().expect("a list").iter().map(Tensor::read).collect();
        let text = |name: &str| value[name].as_str().expect("a text").to_string();
        let attributes = value["attributes"].clone();
        Case { name: text("name"), op: text("op"), attributes, inputs: tensors("inputs"), outputs: tensors("outputs") }
    }

    pub fn int(&self, name: &str, default: i64) -> i64 {
        self.attributes[name].as_i64().unwrap_or(default)
    }

    pub fn float(&self, name: &str, default: f64) -> f64 {
        self.attributes[name].as_f64().unwrap_or(default)
    }

    pub fn text(&self, name: &str) -> &str {
        self.attributes[name].as_str().unwrap_or("")
    }

    pub fn ints(&self, name: &str) -> Option<Vec<i64>> {
        Some(self.attributes[name].as_array()?.iter().filter_map(Value::as_i64).collect())
    }

    /// A tensor among the attributes.
    pub fn tensor(&self, name: &str) -> Option<Tensor> {
        Tensor::read(&self.attributes[name])
    }

    pub fn input(&self, at: usize) -> Option<&Tensor> {
        self.inputs.get(at)?.as_ref()
    }

    pub fn shape(&self, at: usize) -> &[usize] {
        self.input(at).map_or(&[], |tensor| &tensor.shape)
    }

    pub fn rank(&self, at: usize) -> usize {
        self.shape(at).len()
    }

    /// The numbers of an input, known before the run.
    pub fn known(&self, at: usize) -> Option<Vec<i64>> {
        Some(self.input(at)?.values.iter().map(|value| *value as i64).collect())
    }

    pub fn wanted(&self, at: usize) -> &[usize] {
        self.outputs.get(at).and_then(Option::as_ref).map_or(&[], |tensor| &tensor.shape)
    }

    /// An axis that may be counted from the end.
    pub fn axis(&self, name: &str, default: i64) -> usize {
        from_end(self.int(name, default), self.rank(0))
    }

    /// An input at places.
    pub fn at(&self, input: usize, places: &[String]) -> String {
        read(&format!("x{input}"), places)
    }

    /// An input at the indices of the result, as arrays broadcast.
    pub fn broadcast(&self, input: usize) -> String {
        let (own, all) = (self.shape(input), self.wanted(0).len());
        let place = |(at, size): (usize, &usize)| match size {
            1 => "0".to_string(),
            _ => format!("i{}", all - own.len() + at),
        };
        self.at(input, &own.iter().enumerate().map(place).collect::<Vec<_>>())
    }

    /// A template with `{0}`, `{1}`, … in the place of inputs.
    pub fn fill(&self, template: &str) -> String {
        (0..self.inputs.len())
            .fold(template.to_string(), |text, at| text.replace(&format!("{{{at}}}"), &self.broadcast(at)))
    }

    /// The elements of the first input in one row, under a name.
    pub fn flat(&self, name: &str) -> String {
        let sizes = self.shape(0).iter().enumerate();
        let group: Vec<String> = sizes.map(|(at, size)| format!("a{at}: {size}")).collect();
        let places: Vec<String> = (0..group.len()).map(|at| format!("a{at}")).collect();
        match group.len() {
            0 => format!("let {name}[a0: 1] = x0"),
            1 => format!("let {name}[{}] = x0[a0]", group[0]),
            _ => format!("let {name}[({})] = {}", group.join(" "), self.at(0, &places)),
        }
    }
}

pub fn from_end(axis: i64, rank: usize) -> usize {
    if axis < 0 { (axis + rank as i64) as usize } else { axis as usize }
}

/// `i0`, `i1`, …
pub fn indices(count: usize) -> Vec<String> {
    (0..count).map(|at| format!("i{at}")).collect()
}

pub fn read(name: &str, places: &[String]) -> String {
    if places.is_empty() { name.to_string() } else { format!("{name}[{}]", places.join(", ")) }
}

/// A place in the elements of a shape in one row.
pub fn place_in(shape: &[usize]) -> String {
    let factor = |at: usize| shape[at + 1..].iter().product::<usize>();
    let parts: Vec<String> = (0..shape.len()).map(|at| format!("{} * i{at}", factor(at))).collect();
    if parts.is_empty() { "0".to_string() } else { parts.join(" + ") }
}

pub fn number(value: f64) -> String {
    if value.is_nan() {
        "(0 / 0)".to_string()
    } else if value.is_infinite() {
        if value > 0.0 { "(1 / 0)".to_string() } else { "(-1 / 0)".to_string() }
    } else if value < 0.0 {
        format!("({value})")
    } else {
        format!("{value}")
    }
}

/// Whole numbers as a list of lists.
pub fn list(shape: &[usize], values: &[i64]) -> String {
    match shape.split_first() {
        None => values.first().map_or(String::new(), i64::to_string),
        Some((count, rest)) => {
            let each = values.len() / count.max(&1);
            let parts: Vec<String> = values.chunks(each.max(1)).map(|part| list(rest, part)).collect();
            format!("[{}]", parts.join(", "))
        }
    }
}
