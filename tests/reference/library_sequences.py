"""The cases of library.py for sequences: embeddings, positions, attention, recurrent nets, pooling."""
import torch
import torch.nn as nn
import torch.nn.functional as F
from library import case

N, T, D = 24, 8, 8


def lin(p, name, x):
    return F.linear(x, p[f"{name}.w"].T, p[f"{name}.b"])


def sequence(c):
    return c.x.reshape(N, T, D)


def out(p, z, c):
    out = lin(p, "dense_1", z.reshape(N, -1))
    return out, F.mse_loss(out, c.y)


def shapes_of_attention(at, d=D, c=D, groups=None, heads=2):
    kv = d if groups is None else groups * d // heads
    sizes = {"to_query": (d, d), "to_key": (c, kv), "to_value": (c, kv), "to_out": (d, d)}
    return {f"{at}__{k}__{w}": list(v) if w == "w" else [v[1]] for k, v in sizes.items() for w in "wb"}


def shapes_of(at, d, units):
    return {f"{at}__w": [d, units], f"{at}__b": [units]}


def shapes_of_norm(at):
    return {f"{at}__scale": [D], f"{at}__shift": [D]}


def shapes_of_net(at):
    return shapes_of(f"{at}__wide", D, 2 * D) | shapes_of(f"{at}__narrow", 2 * D, D)


def attention(p, at, x, memory, heads, groups=None, mask=None, turn=lambda q: q):
    """With PyTorch's scaled_dot_product_attention; true in the mask is what is seen."""
    groups = groups or heads

    def parts(name, source, count):
        return lin(p, f"{at}.{name}", source).unflatten(-1, (count, -1)).transpose(1, 2)

    q, k, v = parts("to_query", x, heads), parts("to_key", memory, groups), parts("to_value", memory, groups)
    k, v = (part.repeat_interleave(heads // groups, 1) for part in (turn(k), v))
    mixed = F.scaled_dot_product_attention(turn(q), k, v, attn_mask=mask)
    return lin(p, f"{at}.to_out", mixed.transpose(1, 2).flatten(2))


def causal(t=T):
    return torch.ones(t, t, dtype=torch.bool).tril()


def within(c):
    """The lengths of the program: 1 + the first token modulo 8."""
    length = 1 + c.t[:, 0] % 8
    return length, torch.arange(T) < length[:, None]


LAST = shapes_of("dense_1", T * D, 3)


@case(**shapes_of_attention("attention_1"), **LAST)
def attention_self(p, c, training):
    x = sequence(c)
    return out(p, attention(p, "attention_1", x, x, 2), c)


@case(**shapes_of_attention("attention_1", groups=2, heads=4), **LAST)
def attention_window(p, c, training):
    x = sequence(c)
    i = torch.arange(T)
    mask = causal() & (i[:, None] - i < 3)
    return out(p, attention(p, "attention_1", x, x, 4, 2, mask), c)


@case(**shapes_of_attention("attention_1", c=4), **LAST)
def attention_cross(p, c, training):
    return out(p, attention(p, "attention_1", sequence(c), c.x.reshape(N, 16, 4), 2), c)


@case(**shapes_of_attention("attention_1"), **LAST)
def attention_padded(p, c, training):
    x = sequence(c)
    return out(p, attention(p, "attention_1", x, x, 2, mask=within(c)[1][:, None, None, :]), c)


def rotated(q):
    """As complex numbers: each pair of the last axis is one."""
    half = q.shape[-1] // 2
    angle = torch.arange(q.shape[-2])[:, None] * 10000.0 ** (-torch.arange(half) / half)
    z = torch.view_as_complex(q.unflatten(-1, (half, 2)).contiguous())
    return torch.view_as_real(z * torch.polar(torch.ones_like(angle), angle)).flatten(-2)


@case(**shapes_of_attention("attention_1"), **LAST)
def attention_rotary(p, c, training):
    x = sequence(c)
    return out(p, attention(p, "attention_1", x, x, 2, turn=rotated), c)


def norm(p, at, x):
    return F.layer_norm(x, (D,), p[f"{at}.scale"], p[f"{at}.shift"])


def block(p, x, pre, mask):
    at = "transformer_block_1"
    first, second = (lambda x: norm(p, f"{at}.attend_norm", x)), (lambda x: norm(p, f"{at}.net_norm", x))
    net = lambda x: lin(p, f"{at}.narrow", F.gelu(lin(p, f"{at}.wide", x)))
    attend = lambda x: attention(p, f"{at}.attend", x, x, 2, mask=mask)
    if pre:
        y = x + attend(first(x))
        return y + net(second(y))
    y = first(x + attend(x))
    return second(y + net(y))


BLOCK = (
    shapes_of_attention("transformer_block_1__attend")
    | shapes_of_norm("transformer_block_1__attend_norm")
    | shapes_of_norm("transformer_block_1__net_norm")
    | shapes_of_net("transformer_block_1")
)


@case(**BLOCK, **LAST)
def transformer_pre(p, c, training):
    return out(p, block(p, sequence(c), True, causal()) / 4, c)


@case(**BLOCK, **LAST)
def transformer_post(p, c, training):
    return out(p, block(p, sequence(c), False, None), c)


def packed(p, at):
    """What nn.MultiheadAttention takes for the parameters of an attention here."""
    parts = ["to_query", "to_key", "to_value"]
    return {
        "in_proj_weight": torch.cat([p[f"{at}.{part}.w"].T for part in parts]),
        "in_proj_bias": torch.cat([p[f"{at}.{part}.b"] for part in parts]),
        "out_proj.weight": p[f"{at}.to_out.w"].T,
        "out_proj.bias": p[f"{at}.to_out.b"],
    }


def of_block(p, at, attentions, norms):
    given = {f"{theirs}.{k}": v for theirs, ours in attentions.items() for k, v in packed(p, f"{at}.{ours}").items()}
    for number in range(norms):
        given[f"norm{number + 1}.weight"] = p[f"{at}.layer_norm_{number + 1}.scale"]
        given[f"norm{number + 1}.bias"] = p[f"{at}.layer_norm_{number + 1}.shift"]
    for theirs, ours in (("linear1", "wide"), ("linear2", "narrow")):
        given |= {f"{theirs}.weight": p[f"{at}.{ours}.w"].T, f"{theirs}.bias": p[f"{at}.{ours}.b"]}
    return given


@case(
    **shapes_of_attention("encoder_block_1__attend"),
    **shapes_of_norm("encoder_block_1__layer_norm_1"),
    **shapes_of_norm("encoder_block_1__layer_norm_2"),
    **shapes_of_net("encoder_block_1"),
    **LAST,
)
def encoder_block(p, c, training):
    layer = nn.TransformerEncoderLayer(D, 2, 2 * D, dropout=0.0, batch_first=True)
    given = of_block(p, "encoder_block_1", {"self_attn": "attend"}, 2)
    layer.train()
    z = torch.func.functional_call(layer, given, (sequence(c),), {"src_key_padding_mask": ~within(c)[1]})
    return out(p, z, c)


@case(
    **shapes_of_attention("decoder_block_1__itself"),
    **shapes_of_attention("decoder_block_1__across"),
    **shapes_of_norm("decoder_block_1__layer_norm_1"),
    **shapes_of_norm("decoder_block_1__layer_norm_2"),
    **shapes_of_norm("decoder_block_1__layer_norm_3"),
    **shapes_of_net("decoder_block_1"),
    **LAST,
)
def decoder_block(p, c, training):
    layer = nn.TransformerDecoderLayer(D, 2, 2 * D, dropout=0.0, batch_first=True)
    given = of_block(p, "decoder_block_1", {"self_attn": "itself", "multihead_attn": "across"}, 3)
    x = sequence(c)
    z = torch.func.functional_call(layer, given, (x, x.flip(1)), {"tgt_mask": ~causal()})
    return out(p, z, c)


U = 5


def recurrent(kind, given, x):
    return torch.func.functional_call(kind(x.shape[-1], U, batch_first=True), given, (x,))[0]


def rnn_of(p, at):
    zero = torch.zeros(U)
    return {
        "weight_ih_l0": p[f"{at}.own.w"].T,
        "bias_ih_l0": p[f"{at}.own.b"],
        "weight_hh_l0": p[f"{at}.back.w"].T,
        "bias_hh_l0": p.get(f"{at}.back.b", zero),
    }


def lstm_of(p, at):
    w = p[f"{at}.gates.w"]
    d = w.shape[0] - U
    return {
        "weight_ih_l0": w[:d].T,
        "weight_hh_l0": w[d:].T,
        "bias_ih_l0": p[f"{at}.gates.b"],
        "bias_hh_l0": torch.zeros(4 * U),
    }


@case(rnn_1__own__w=[D, U], rnn_1__own__b=[U], rnn_1__back__w=[U, U], **shapes_of("dense_1", U, 3))
def rnn(p, c, training):
    return out(p, recurrent(nn.RNN, rnn_of(p, "rnn_1"), sequence(c))[:, -1], c)


@case(
    **shapes_of("gru_1__own", D, 3 * U), **shapes_of("gru_1__back", U, 3 * U), **shapes_of("dense_1", U, 3)
)
def gru(p, c, training):
    return out(p, recurrent(nn.GRU, rnn_of(p, "gru_1"), sequence(c)).mean(1), c)


@case(**shapes_of("lstm_1__gates", D + U, 4 * U), **shapes_of("dense_1", U, 3))
def lstm(p, c, training):
    return out(p, recurrent(nn.LSTM, lstm_of(p, "lstm_1"), sequence(c)).max(1).values, c)


@case(
    **shapes_of("bidirectional_1__forward__gates", D + U, 4 * U),
    **shapes_of("bidirectional_1__backward__gates", D + U, 4 * U),
    **shapes_of("dense_1", T * 2 * U, 3),
)
def bidirectional(p, c, training):
    length, _ = within(c)
    packed = nn.utils.rnn.pack_padded_sequence(sequence(c), length, batch_first=True, enforce_sorted=False)
    given = lstm_of(p, "bidirectional_1.forward")
    given |= {f"{k}_reverse": v for k, v in lstm_of(p, "bidirectional_1.backward").items()}
    layer = nn.LSTM(D, U, batch_first=True, bidirectional=True)
    z = torch.func.functional_call(layer, given, (packed,))[0]
    return out(p, nn.utils.rnn.pad_packed_sequence(z, batch_first=True, total_length=T)[0], c)


@case(embedding_1__w=[10, D], learned_positions_1__w=[12, D], **LAST)
def embedding(p, c, training):
    z = F.embedding(c.t, p["embedding_1.w"]) + p["learned_positions_1.w"][:T]
    angle = torch.arange(T)[:, None] / 10000.0 ** (torch.arange(0, D, 2) / D)
    return out(p, (z + torch.stack([angle.sin(), angle.cos()], -1).flatten(1)) / 4, c)


@case(embedding_1__w=[10, D], **shapes_of("dense_1", 3 * D, 3))
def sequence_pooling(p, c, training):
    length, keep = within(c)
    z = F.embedding(c.t, p["embedding_1.w"])
    parts = [
        z[torch.arange(N), length - 1],
        (z * keep[..., None]).sum(1) / length[:, None],
        z.masked_fill(~keep[..., None], -torch.inf).max(1).values,
    ]
    return out(p, torch.cat(parts, -1), c)
