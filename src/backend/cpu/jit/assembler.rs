//! Instructions as bytes: the vector instructions in their two encodings (VEX of 256 bits, EVEX of 512), and the few others that
//! loops and addresses need. One row of a table is one instruction in both encodings.

/// A general register, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct General(pub u8);

pub const RAX: General = General(0);
pub const RCX: General = General(1);
pub const RDX: General = General(2);
pub const RBX: General = General(3);
pub const RBP: General = General(5);
pub const RSI: General = General(6);
pub const RDI: General = General(7);

/// A vector register, by its number.
pub type Vector = u8;

/// A mask register of the wide encoding; 0 is none.
pub type Mask = u8;

/// An address.
#[derive(Clone, Copy, Debug)]
pub enum Place {
    /// `base + index * 2^scale + offset`
    At { base: General, index: Option<(General, u8)>, offset: i32 },
    /// `base + index * 2^scale` for each lane of a vector of indices.
    Lanes { base: General, index: Vector, scale: u8 },
    /// In the data that follows the code.
    Data(usize),
}

/// What an instruction reads last: a register or memory.
#[derive(Clone, Copy, Debug)]
pub enum Last {
    Vector(Vector),
    Place(Place),
}

/// A row of the table of vector instructions: the mandatory prefix, the opcode's map, the opcode, and the bit W of the wide encoding.
#[derive(Clone, Copy, Debug)]
pub struct Form {
    prefix: u8,
    map: u8,
    opcode: u8,
    wide_w: bool,
}

const fn form(prefix: u8, map: u8, opcode: u8) -> Form {
    Form { prefix, map, opcode, wide_w: false }
}

/// Of 64-bit lanes.
const fn form64(prefix: u8, map: u8, opcode: u8) -> Form {
    Form { prefix, map, opcode, wide_w: true }
}

const NONE: u8 = 0;
const P66: u8 = 1;
const PF3: u8 = 2;

pub const ADD: Form = form(NONE, 1, 0x58);
pub const MUL: Form = form(NONE, 1, 0x59);
pub const SUB: Form = form(NONE, 1, 0x5c);
pub const MIN: Form = form(NONE, 1, 0x5d);
pub const DIV: Form = form(NONE, 1, 0x5e);
pub const MAX: Form = form(NONE, 1, 0x5f);
pub const SQRT: Form = form(NONE, 1, 0x51);
pub const AND: Form = form(NONE, 1, 0x54);
pub const OR: Form = form(NONE, 1, 0x56);
pub const XOR: Form = form(NONE, 1, 0x57);
pub const LOAD: Form = form(NONE, 1, 0x10);
pub const STORE: Form = form(NONE, 1, 0x11);
pub const FLOAT_OF_INT: Form = form(NONE, 1, 0x5b);
pub const INT_OF_FLOAT: Form = form(PF3, 1, 0x5b);
pub const COMPARE: Form = form(NONE, 1, 0xc2);
pub const WIDEN: Form = form(NONE, 1, 0x5a);
/// Of ints.
pub const WIDEN_INT: Form = form(PF3, 1, 0xe6);
pub const ROUND: Form = form(P66, 3, 0x08);
pub const FMADD_132: Form = form(P66, 2, 0x98);
pub const FMADD_213: Form = form(P66, 2, 0xa8);
pub const FMADD_231: Form = form(P66, 2, 0xb8);
pub const FMSUB_132: Form = form(P66, 2, 0x9a);
pub const FMSUB_213: Form = form(P66, 2, 0xaa);
pub const FMSUB_231: Form = form(P66, 2, 0xba);
pub const FNMADD_132: Form = form(P66, 2, 0x9c);
pub const FNMADD_213: Form = form(P66, 2, 0xac);
pub const FNMADD_231: Form = form(P66, 2, 0xbc);
pub const INT_ADD: Form = form(P66, 1, 0xfe);
pub const INT_SUB: Form = form(P66, 1, 0xfa);
pub const INT_MUL: Form = form(P66, 2, 0x40);
pub const INT_MAX: Form = form(P66, 2, 0x3d);
pub const INT_MIN: Form = form(P66, 2, 0x39);
pub const INT_ABS: Form = form(P66, 2, 0x1e);
/// With the count as an immediate: `/6` to the left, `/4` to the right with the sign.
pub const SHIFT: Form = form(P66, 1, 0x72);
pub const BROADCAST: Form = form(P66, 2, 0x18);
pub const GATHER: Form = form(P66, 2, 0x92);
/// Four bytes for each byte.
pub const INTS_OF_BYTES: Form = form(P66, 2, 0x31);
pub const PERMUTE: Form = form(P66, 3, 0x04);
pub const ADD_64: Form = form64(P66, 1, 0x58);
pub const MIN_64: Form = form64(P66, 1, 0x5d);
pub const MAX_64: Form = form64(P66, 1, 0x5f);
pub const COMPARE_64: Form = form64(P66, 1, 0xc2);
pub const LOAD_64: Form = form64(P66, 1, 0x10);
pub const STORE_64: Form = form64(P66, 1, 0x11);
/// The lowest lane alone, always in 128 bits.
pub const STORE_ONE: Form = form(PF3, 1, 0x11);

// Of 512 bits only.
pub const INT_COMPARE_TO_MASK: Form = form(P66, 3, 0x1f);
pub const TERNARY: Form = form(P66, 3, 0x25);
pub const BLEND_BY_MASK: Form = form(P66, 2, 0x65);
pub const VECTOR_OF_MASK: Form = form(PF3, 2, 0x38);
pub const BYTES_OF_INTS: Form = form(PF3, 2, 0x31);
pub const SCALE: Form = form(P66, 2, 0x2c);
pub const SCATTER: Form = form(P66, 2, 0xa2);
pub const BROADCAST_GENERAL: Form = form(P66, 2, 0x7c);
pub const UPPER_HALF: Form = form64(P66, 3, 0x1b);
pub const SHUFFLE_QUARTERS: Form = form64(P66, 3, 0x23);
pub const BLEND_BY_MASK_64: Form = form64(P66, 2, 0x65);

// Of 256 bits only.
pub const INT_EQUAL: Form = form(P66, 1, 0x76);
pub const INT_GREATER: Form = form(P66, 1, 0x66);
/// With the choosing register in the immediate.
pub const BLEND: Form = form(P66, 3, 0x4a);
pub const BLEND_64: Form = form(P66, 3, 0x4b);
pub const MASKED_LOAD: Form = form(P66, 2, 0x2c);
pub const MASKED_STORE: Form = form(P66, 2, 0x2e);
pub const MASKED_LOAD_64: Form = form64(P66, 2, 0x2d);
pub const MASKED_STORE_64: Form = form64(P66, 2, 0x2f);
pub const UPPER_128: Form = form(P66, 3, 0x19);
pub const SWAP_128: Form = form(P66, 3, 0x06);
pub const FROM_GENERAL: Form = form(P66, 1, 0x6e);
pub const BROADCAST_INT: Form = form(P66, 2, 0x58);
pub const WIDEN_MASK: Form = form(P66, 2, 0x25);

/// Conditions of jumps.
#[derive(Clone, Copy, Debug)]
pub enum Jump {
    Below,
    NotBelow,
    NotEqual,
}

/// A place in the code, to jump to.
#[derive(Clone, Copy, Debug)]
pub struct Label(usize);

/// How many bytes a vector instruction works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// VEX.
    Bits128,
    Bits256,
    /// EVEX.
    Bits512,
}

#[derive(Default)]
pub struct Assembler {
    pub code: Vec<u8>,
    labels: Vec<Option<usize>>,
    /// Where a label's distance is wanted.
    jumps: Vec<(usize, usize)>,
    /// Where the distance of an offset of the data is wanted: the place, what follows the distance, the offset.
    data_uses: Vec<(usize, usize, usize)>,
}

impl Assembler {
    /// A vector instruction `first = op(second, last)`; for those of two operands the second is 0.
    pub fn vector(&mut self, width: Width, form: Form, first: Vector, second: Vector, last: Last) {
        self.vector_with(width, form, first, second, last, 0, false, None);
    }

    /// The same with an immediate.
    pub fn vector_imm(&mut self, width: Width, form: Form, first: Vector, second: Vector, last: Last, imm: u8) {
        self.vector_with(width, form, first, second, last, 0, false, Some(imm));
    }

    /// The same of the lanes of a mask (wide encoding only): the others become 0, or stay what they are.
    #[allow(clippy::too_many_arguments)]
    pub fn vector_with(
        &mut self,
        width: Width,
        form: Form,
        first: Vector,
        second: Vector,
        last: Last,
        mask: Mask,
        zero: bool,
        imm: Option<u8>,
    ) {
        // The bits 3 and 4 of what the last operand is made of.
        let (x, b, high) = match last {
            Last::Vector(last) => (last >> 4 & 1, last >> 3 & 1, 0),
            Last::Place(Place::At { base, index, .. }) => {
                (index.map_or(0, |(index, _)| index.0 >> 3 & 1), base.0 >> 3 & 1, 0)
            }
            Last::Place(Place::Lanes { base, index, .. }) => (index >> 3 & 1, base.0 >> 3 & 1, index >> 4 & 1),
            Last::Place(Place::Data(_)) => (0, 0, 0),
        };
        let not = |bit: u8| (bit & 1) ^ 1;
        let r = not(first >> 3);
        if width == Width::Bits512 {
            let upper = if high != 0 { 0 } else { not(second >> 4) };
            self.code.push(0x62);
            self.code.push(r << 7 | not(x) << 6 | not(b) << 5 | not(first >> 4) << 4 | form.map);
            self.code.push(u8::from(form.wide_w) << 7 | (!second & 15) << 3 | 1 << 2 | form.prefix);
            self.code.push(u8::from(zero) << 7 | 0b10 << 5 | upper << 3 | mask);
        } else {
            let long = u8::from(width == Width::Bits256);
            // W distinguishes few of the 256-bit forms: masked moves of 64 bits use opcodes of their own.
            self.code.push(0xc4);
            self.code.push(r << 7 | not(x) << 6 | not(b) << 5 | form.map);
            self.code.push((!second & 15) << 3 | long << 2 | form.prefix);
        }
        self.code.push(form.opcode);
        self.operand(first & 7, last, usize::from(imm.is_some()));
        self.code.extend(imm);
    }

    /// ModRM, SIB and the distance. `tail` bytes follow.
    fn operand(&mut self, field: u8, last: Last, tail: usize) {
        let field = field << 3;
        match last {
            Last::Vector(vector) => self.code.push(0b11 << 6 | field | (vector & 7)),
            Last::Place(Place::Data(offset)) => {
                self.code.push(field | 0b101);
                self.data_uses.push((self.code.len(), self.code.len() + 4 + tail, offset));
                self.code.extend([0; 4]);
            }
            Last::Place(Place::At { base, index: None, offset }) if base.0 & 7 != 4 => {
                self.code.push(0b10 << 6 | field | (base.0 & 7));
                self.code.extend(offset.to_le_bytes());
            }
            Last::Place(Place::At { base, index, offset }) => {
                let (index, scale) = index.map_or((0b100, 0), |(index, scale)| (index.0 & 7, scale));
                self.code.push(0b10 << 6 | field | 0b100);
                self.code.push(scale << 6 | index << 3 | (base.0 & 7));
                self.code.extend(offset.to_le_bytes());
            }
            Last::Place(Place::Lanes { base, index, scale }) => {
                self.code.push(0b10 << 6 | field | 0b100);
                self.code.push(scale << 6 | (index & 7) << 3 | (base.0 & 7));
                self.code.extend([0; 4]);
            }
        }
    }

    /// An instruction of general registers: `opcode` with a register and an operand, of 64 bits if `wide`.
    fn general(&mut self, wide: bool, opcode: &[u8], field: u8, last: Last, tail: usize) {
        let (x, b) = match last {
            Last::Vector(register) => (0, register >> 3),
            Last::Place(Place::At { base, index, .. }) => (index.map_or(0, |(index, _)| index.0 >> 3), base.0 >> 3),
            Last::Place(Place::Lanes { .. } | Place::Data(_)) => (0, 0),
        };
        let rex = 0x40 | u8::from(wide) << 3 | (field >> 3) << 2 | x << 1 | b;
        self.code.push(rex);
        self.code.extend(opcode);
        self.operand(field & 7, last, tail);
    }

    pub fn load(&mut self, to: General, from: Place) {
        self.general(true, &[0x8b], to.0, Last::Place(from), 0);
    }

    /// 32 bits, with their sign above.
    pub fn load_int(&mut self, to: General, from: Place) {
        self.general(true, &[0x63], to.0, Last::Place(from), 0);
    }

    /// A byte, with zeros above.
    pub fn load_byte(&mut self, to: General, from: Place) {
        self.general(false, &[0x0f, 0xb6], to.0, Last::Place(from), 0);
    }

    pub fn store_byte(&mut self, to: Place, from: General) {
        self.general(false, &[0x88], from.0, Last::Place(to), 0);
    }

    /// An address, not what it holds.
    pub fn address(&mut self, to: General, of: Place) {
        self.general(true, &[0x8d], to.0, Last::Place(of), 0);
    }

    pub fn copy(&mut self, to: General, from: General) {
        self.general(true, &[0x8b], to.0, Last::Vector(from.0), 0);
    }

    pub fn set(&mut self, to: General, value: i32) {
        self.general(true, &[0xc7], 0, Last::Vector(to.0), 4);
        self.code.extend(value.to_le_bytes());
    }

    pub fn add(&mut self, to: General, from: General) {
        self.general(true, &[0x03], to.0, Last::Vector(from.0), 0);
    }

    pub fn add_number(&mut self, to: Last, value: i32) {
        self.general(true, &[0x81], 0, to, 4);
        self.code.extend(value.to_le_bytes());
    }

    pub fn and_number(&mut self, to: General, value: i32) {
        self.general(true, &[0x81], 4, Last::Vector(to.0), 4);
        self.code.extend(value.to_le_bytes());
    }

    pub fn subtract(&mut self, to: General, from: General) {
        self.general(true, &[0x2b], to.0, Last::Vector(from.0), 0);
    }

    pub fn multiply(&mut self, to: General, from: General, by: i32) {
        self.general(true, &[0x69], to.0, Last::Vector(from.0), 4);
        self.code.extend(by.to_le_bytes());
    }

    pub fn compare(&mut self, a: General, b: General) {
        self.general(true, &[0x3b], a.0, Last::Vector(b.0), 0);
    }

    pub fn compare_number(&mut self, a: Last, value: i32) {
        self.general(true, &[0x81], 7, a, 4);
        self.code.extend(value.to_le_bytes());
    }

    /// Shifts to the left by the count in `rcx`.
    pub fn shift_left(&mut self, to: General) {
        self.general(true, &[0xd3], 4, Last::Vector(to.0), 0);
    }

    pub fn push(&mut self, register: General) {
        self.code.extend([0x40 | register.0 >> 3, 0x50 | (register.0 & 7)]);
    }

    pub fn pop(&mut self, register: General) {
        self.code.extend([0x40 | register.0 >> 3, 0x58 | (register.0 & 7)]);
    }

    /// Ends the function; what follows in other code must not wait for the upper halves of vectors.
    pub fn finish_function(&mut self) {
        self.code.extend([0xc5, 0xf8, 0x77, 0xc3]);
    }

    /// A mask from the bits of a general register.
    pub fn mask_of(&mut self, to: Mask, from: General) {
        self.code.extend([0xc5, 0xf8, 0x92, 0b11 << 6 | to << 3 | from.0]);
    }

    pub fn mask_copy(&mut self, to: Mask, from: Mask) {
        self.code.extend([0xc5, 0xf8, 0x90, 0b11 << 6 | to << 3 | from]);
    }

    /// A mask of all lanes.
    pub fn mask_all(&mut self, to: Mask) {
        self.code.extend([0xc5, 0x84 | (!to & 15) << 3, 0x46, 0b11 << 6 | to << 3 | to]);
    }

    /// The upper eight lanes of a mask.
    pub fn mask_upper(&mut self, to: Mask, from: Mask) {
        self.code.extend([0xc4, 0xe3, 0xf9, 0x30, 0b11 << 6 | to << 3 | from, 8]);
    }

    pub fn label(&mut self) -> Label {
        self.labels.push(None);
        Label(self.labels.len() - 1)
    }

    /// The label is here.
    pub fn place(&mut self, label: Label) {
        self.labels[label.0] = Some(self.code.len());
    }

    pub fn jump(&mut self, jump: Jump, to: Label) {
        match jump {
            Jump::Below => self.code.extend([0x0f, 0x82]),
            Jump::NotBelow => self.code.extend([0x0f, 0x83]),
            Jump::NotEqual => self.code.extend([0x0f, 0x85]),
        }
        self.jumps.push((self.code.len(), to.0));
        self.code.extend([0; 4]);
    }

    /// The code with its data behind it, every distance filled in.
    pub fn finish(mut self, data: &[u8]) -> Vec<u8> {
        for (at, label) in self.jumps {
            let target = self.labels[label].unwrap_or(at + 4);
            let distance = (target as i64 - (at as i64 + 4)) as i32;
            self.code[at..at + 4].copy_from_slice(&distance.to_le_bytes());
        }
        let start = self.code.len().next_multiple_of(64);
        for (at, next, offset) in self.data_uses {
            let distance = (start + offset) as i64 - next as i64;
            self.code[at..at + 4].copy_from_slice(&(distance as i32).to_le_bytes());
        }
        self.code.resize(start, 0);
        self.code.extend(data);
        self.code
    }
}
