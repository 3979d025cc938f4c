//! The checker: names, types and index notation. Checking is per instantiation, with every hyperparameter
//! a constant and only the rows of a batch symbolic; definitions that nothing uses are checked with symbols for what a use decides.
//!
//! | file | what |
//! |---|---|
//! | `names`, `chains` | names and comparisons, of the whole file, without types |
//! | `comments` | a `//` that was meant to divide |
//! | `unsupported` | the parts of the language that this compiler does not support yet |
//! | `items`, `library` | the items of a file; the items that names mean |
//! | `settings` | `--set name=value` |
//! | `uses` | the items of other files |
//! | `unread` | diagnostics that only follow from text that could not be parsed |
//! | `number` | constants, as exact numbers |
//! | `types`, `shapes` | types with the origin of each size; the rules of the operators |
//! | `affine` | whole numbers made of indices, and what keeps them inside of an axis |
//! | `schema` | what must be known of data, and whom to ask |
//! | `data` | the data of a program: its sets, columns, what is fitted |
//! | `value` | what expressions stand for while they are checked |
//! | `elaborate` | from the tree to terms |
//! | `lints` | what a good reviewer would say, a lint a file |
//! | `paths` | patterns of parameter paths |
//! | `terms`, `steps`, `program` | the result; its loops |
//! | `again` | the same terms over other leaves |

pub mod affine;
pub mod again;
pub mod chains;
pub mod comments;
pub mod data;
pub mod elaborate;
pub mod items;
pub mod library;
pub mod lints;
pub mod names;
pub mod number;
pub mod paths;
pub mod program;
pub mod schema;
pub mod settings;
pub mod shapes;
pub mod steps;
pub mod terms;
pub mod types;
pub mod unread;
pub mod unsupported;
pub mod uses;
pub mod value;
