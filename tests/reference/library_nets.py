"""The cases of library.py for pictures and sequences: convolutions, poolings, norms, upsampling, gates."""
import torch
import torch.nn.functional as F
from library import ROWS, case
from library_cases import dense


def images(c):
    return c.x.reshape(ROWS, 4, 4, 4)


def rows(c):
    return c.x.reshape(ROWS, 8, 8)


def biased(p, name):
    return p[f"{name}.k"], p.get(f"{name}.b")


def conv_same(x, p, name, stride=1, dilation=1, groups=1):
    """TensorFlow's padding: ceil(h / stride) places, what is odd below and on the right."""
    k, b = biased(p, name)
    size = k.shape[-1]
    total = lambda length: max((-(-length // stride) - 1) * stride + dilation * (size - 1) + 1 - length, 0)
    tall, wide = total(x.shape[-2]), total(x.shape[-1])
    x = F.pad(x, (wide // 2, wide - wide // 2, tall // 2, tall - tall // 2))
    return F.conv2d(x, k, b, stride=stride, dilation=dilation, groups=groups)


def net(name, body, read=images, states=None, scale=1, **shapes):
    """A case whose scores are `dense_1` (or the last dense of its body) of what `body` gives."""

    def of(p, c, training):
        out = scale * body(p, read(c), training)
        return out, F.mse_loss(out, c.y)

    of.__name__ = name
    case(states, **shapes)(of)


def flat(p, y):
    return dense(p, "dense_1", y.reshape(ROWS, -1))


FIRST = dict(conv_1__k=[4, 4, 3, 3], conv_1__b=[4])


def first(p, x):
    return conv_same(x, p, "conv_1")


net(
    "conv",
    lambda p, x, t: flat(p, F.conv2d(F.relu(conv_same(x, p, "conv_1", stride=2)), *biased(p, "conv_2"))),
    conv_1__k=[6, 4, 3, 3], conv_1__b=[6], conv_2__k=[4, 6, 2, 2], conv_2__b=[4], dense_1__w=[4, 3], dense_1__b=[3],
)
net(
    "conv_groups",
    lambda p, x, t: flat(p, F.conv2d(x, p["conv_1.k"], stride=2, padding=2, dilation=2, groups=2)),
    conv_1__k=[6, 2, 3, 3], dense_1__w=[24, 3], dense_1__b=[3],
)
net(
    "depthwise_conv",
    lambda p, x, t: flat(p, F.conv2d(x, *biased(p, "depthwise_conv_1.conv_1"), padding=1, groups=4)),
    depthwise_conv_1__conv_1__k=[8, 1, 3, 3], depthwise_conv_1__conv_1__b=[8], dense_1__w=[128, 3], dense_1__b=[3],
)
net(
    "conv_transpose",
    lambda p, x, t: flat(
        p, F.conv_transpose2d(F.conv_transpose2d(x, *biased(p, "conv_transpose_1"), stride=2, padding=1), p["conv_transpose_2.k"], stride=3)
    ),
    scale=0.1, conv_transpose_1__k=[4, 3, 3, 3], conv_transpose_1__b=[3], conv_transpose_2__k=[3, 2, 2, 2], dense_1__w=[800, 3], dense_1__b=[3],
)
net(
    "max_pool",
    lambda p, x, t: flat(p, F.max_pool2d(F.max_pool2d(first(p, x), 2), 3, stride=1, padding=1)),
    scale=0.1, **FIRST, dense_1__w=[16, 3], dense_1__b=[3],
)
net(
    "average_pool",
    lambda p, x, t: flat(p, F.avg_pool2d(first(p, x), 3, stride=2, padding=1, count_include_pad=False)),
    **FIRST, dense_1__w=[16, 3], dense_1__b=[3],
)
net(
    "adaptive_average_pool",
    lambda p, x, t: flat(p, F.adaptive_avg_pool2d(first(p, x), (3, 2))),
    **FIRST, dense_1__w=[24, 3], dense_1__b=[3],
)
net(
    "global_pool",
    lambda p, x, t: flat(p, torch.cat([first(p, x).mean((2, 3)), first(p, x).amax((2, 3))], 1)),
    scale=0.1, **FIRST, dense_1__w=[8, 3], dense_1__b=[3],
)
net(
    "group_norm",
    lambda p, x, t: flat(p, F.group_norm(first(p, x), 2, p["group_norm_1.scale"], p["group_norm_1.shift"])),
    **FIRST, group_norm_1__scale=[4], group_norm_1__shift=[4], dense_1__w=[64, 3], dense_1__b=[3],
)
net(
    "instance_norm",
    lambda p, x, t: flat(p, F.instance_norm(first(p, x), weight=p["instance_norm_1.scale"], bias=p["instance_norm_1.shift"])),
    **FIRST, instance_norm_1__scale=[4], instance_norm_1__shift=[4], dense_1__w=[64, 3], dense_1__b=[3],
)


def upsampled(p, x, training):
    y = F.interpolate(F.interpolate(conv_same(x, p, "conv_1"), scale_factor=2), scale_factor=2, mode="bilinear")
    return flat(p, y)


net("upsample", upsampled, scale=0.1, conv_1__k=[2, 4, 3, 3], conv_1__b=[2], dense_1__w=[512, 3], dense_1__b=[3])


def along(p, x, training):
    y = F.relu(F.conv1d(F.pad(x, (0, 1)), *biased(p, "conv1d_1"), stride=2, groups=2))
    return flat(p, F.conv1d(F.pad(y, (2, 0)), *biased(p, "conv1d_2"), dilation=2))


net(
    "conv1d", along, rows,
    conv1d_1__k=[6, 4, 3], conv1d_1__b=[6], conv1d_2__k=[4, 6, 2], conv1d_2__b=[4], dense_1__w=[16, 3], dense_1__b=[3],
)
net(
    "conv3d",
    lambda p, x, t: flat(p, F.relu(F.conv3d(x, *biased(p, "conv3d_1"), stride=2, padding=1))),
    lambda c: c.x.reshape(ROWS, 1, 4, 4, 4),
    conv3d_1__k=[2, 1, 3, 3, 3], conv3d_1__b=[2], dense_1__w=[16, 3], dense_1__b=[3],
)


def batch_norm(p, x, training):
    """PyTorch moves the running statistics in place, one evaluation of the loss after the other."""
    y = F.batch_norm(
        first(p, x), p["batch_norm_1.average"], p["batch_norm_1.spread"],
        p["batch_norm_1.scale"], p["batch_norm_1.shift"], training,
    )
    return flat(p, y)


net(
    "batch_norm", batch_norm, states={"batch_norm_1__average": [0.0] * 4, "batch_norm_1__spread": [1.0] * 4},
    **FIRST, batch_norm_1__scale=[4], batch_norm_1__shift=[4], dense_1__w=[64, 3], dense_1__b=[3],
)


def between(name, function, units, inner, **shapes):
    net(
        name,
        lambda p, x, t: dense(p, "dense_2", function(p, dense(p, "dense_1", x))),
        lambda c: c.x,
        dense_1__w=[64, units], dense_1__b=[units], dense_2__w=[inner, 3], dense_2__b=[3], **shapes,
    )


between(
    "layer_norm", lambda p, x: F.layer_norm(x, [6], p["layer_norm_1.scale"], p["layer_norm_1.shift"]), 6, 6,
    layer_norm_1__scale=[6], layer_norm_1__shift=[6],
)
between("rms_norm", lambda p, x: F.rms_norm(x, [6], p["rms_norm_1.scale"], 1e-6), 6, 6, rms_norm_1__scale=[6])
for name, gate in [("glu", torch.sigmoid), ("reglu", F.relu), ("geglu", F.gelu), ("swiglu", F.silu)]:
    between(name, lambda p, x, gate=gate: x.chunk(2, -1)[0] * gate(x.chunk(2, -1)[1]), 8, 4)
