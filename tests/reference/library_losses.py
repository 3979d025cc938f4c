"""Losses, metrics and optimizers for library.py: the same mathematics in PyTorch and scikit-learn.

What neither has (or PyTorch has only in 16 bits: its Muon) is its paper's formula.
"""
import torch
import torch.nn.functional as F
from library import OPTIMIZERS, case
from sklearn import metrics


def dense(p, name, x):
    return x @ p[f"{name}.w"] + p[f"{name}.b"]


def shape(units):
    return {"dense_1__w": [8, units], "dense_1__b": [units]}


def signs(c):
    return 2 * c.some.to(torch.float64) - 1


def weighted(values, weight):
    return (weight * values).sum() / weight.sum()


def focal(o, c):
    told = F.log_softmax(o, -1).gather(1, c.kind[:, None])[:, 0]
    return -((1 - told.exp()) ** 2 * told).mean()


def binary_focal(o, c):
    y = c.some.to(o.dtype)
    p = torch.sigmoid(o[:, 0])
    right, share = p * y + (1 - p) * (1 - y), 0.25 * y + 0.75 * (1 - y)
    loss = F.binary_cross_entropy_with_logits(o[:, 0], y, reduction="none")
    return (share * (1 - right) ** 2 * loss).mean()


def info_nce(o, c):
    a, b = F.normalize(o, dim=-1), F.normalize(c.x[:, 8:11], dim=-1)
    return F.cross_entropy(a @ b.T / 0.5, torch.arange(len(a)))


def dice(o, c):
    p, y = torch.sigmoid(o), (c.t[:, :3] > 4).to(o.dtype)
    return (1 - (2 * (p * y).sum(1) + 1) / (p.sum(1) + y.sum(1) + 1)).mean()


def ctc(o, c):
    x = F.log_softmax(o.reshape(-1, 6, 4), -1).transpose(0, 1)
    frames = 6 - c.some
    target = c.kind[:, None] + torch.tensor([1, 1]) - torch.stack([0 * c.some, c.some * c.kind.clamp(max=1)], 1)
    return F.ctc_loss(x, target, frames, 1 + c.some, blank=0, reduction="mean")


def elbo(o, c):
    mean, log_variance = o[:, :2], o[:, 2:4]
    return (0.5 * (mean**2 + log_variance.exp() - log_variance - 1)).sum(1).mean()


LOSSES = {
    "smoothed_cross_entropy": (3, lambda o, c: F.cross_entropy(o, c.kind, label_smoothing=0.1)),
    "weighted_cross_entropy": (3, lambda o, c: weighted(F.cross_entropy(o, c.kind, reduction="none"), c.u[:, 0])),
    "class_weighted_cross_entropy": (3, lambda o, c: F.cross_entropy(o, c.kind, torch.tensor([1.0, 2.0, 0.5]))),
    "weighted_mse": (1, lambda o, c: weighted((o[:, 0] - c.y[:, 0]) ** 2, c.u[:, 0])),
    "focal": (3, focal),
    "binary_focal": (1, binary_focal),
    "hinge": (1, lambda o, c: F.relu(1 - signs(c) * o[:, 0]).mean()),
    "multi_hinge": (3, lambda o, c: F.multi_margin_loss(o, c.kind)),
    "triplet": (3, lambda o, c: F.triplet_margin_loss(o, c.x[:, 8:11], c.x[:, 11:14])),
    "cosine_loss": (3, lambda o, c: F.cosine_embedding_loss(o, c.x[:, 8:11], torch.ones(len(o)))),
    "info_nce": (3, info_nce),
    "gaussian_nll": (2, lambda o, c: F.gaussian_nll_loss(o[:, 0], c.y[:, 0], F.softplus(o[:, 1]))),
    "poisson_nll": (1, lambda o, c: F.poisson_nll_loss(o[:, 0], c.u[:, 0])),
    "bradley_terry": (2, lambda o, c: -F.logsigmoid(o[:, 0] - o[:, 1]).mean()),
    "pinball": (1, lambda o, c: torch.maximum(0.9 * (c.y[:, 0] - o[:, 0]), -0.1 * (c.y[:, 0] - o[:, 0])).mean()),
    "dice": (3, dice),
    "ctc": (24, ctc),
    "elbo_kl": (4, elbo),
}


def loss(units, function):
    def of(p, c, training):
        out = dense(p, "dense_1", c.x[:, :8])
        return out, function(out, c)

    return of


for name, (units, function) in LOSSES.items():
    one = loss(units, function)
    one.__name__ = name
    case(**shape(units))(one)


@case()
def multiclass(p, c, training):
    scores, truth = c.x[:, :3], c.kind.numpy()
    chosen = scores.argmax(-1).numpy()
    classes = list(range(3))
    p = F.softmax(scores, -1)
    confidence, right = p.max(-1).values, (scores.argmax(-1) == c.kind).to(p.dtype)
    place = (confidence * 5).ceil() - 1
    gaps = [(right - confidence)[place == b].sum().abs() for b in range(5)]
    return {
        "confusion": metrics.confusion_matrix(truth, chosen, labels=classes),
        "class_precision": metrics.precision_score(truth, chosen, labels=classes, average=None),
        "class_recall": metrics.recall_score(truth, chosen, labels=classes, average=None),
        "class_f1": metrics.f1_score(truth, chosen, labels=classes, average=None),
        "macro_f1": metrics.f1_score(truth, chosen, average="macro"),
        "micro_f1": metrics.f1_score(truth, chosen, average="micro"),
        "balanced_accuracy": metrics.balanced_accuracy_score(truth, chosen),
        "top_accuracy": metrics.top_k_accuracy_score(truth, scores.numpy(), k=2),
        "calibration_error": sum(gaps) / len(truth),
    }


@case()
def ranking(p, c, training):
    # Few different scores: there are ties in and between the classes.
    scores, truth = (3 * c.x[:, 0]).round().numpy(), c.some.numpy()
    return {
        "auc": metrics.roc_auc_score(truth, scores),
        "average_precision": metrics.average_precision_score(truth, scores),
        "apart": metrics.roc_auc_score(truth, c.x[:, 1].numpy()),
        "ordered": metrics.average_precision_score(truth, c.x[:, 1].numpy()),
    }


@case()
def errors(p, c, training):
    found, truth = c.x[:, 0].numpy(), c.y[:, 0].numpy()
    return {
        "explained_variance": metrics.explained_variance_score(truth, found),
        "mape": metrics.mean_absolute_percentage_error(truth, found),
        "pinball": metrics.mean_pinball_loss(truth, found, alpha=0.8),
    }


@case()
def densities(p, c, training):
    from torch import distributions as d

    z, u = c.x[:, 0], c.u[:, 0]
    parts = d.Normal(torch.tensor([-0.5, 0.5]), torch.tensor([0.5, 0.25]))
    mixture = d.MixtureSameFamily(d.Categorical(logits=torch.tensor([0.5, -0.25])), parts)
    return {
        "student_t": d.StudentT(3.0, 0.25, 0.5).log_prob(z).mean(),
        "laplace": d.Laplace(0.25, 0.5).log_prob(z).mean(),
        "gamma": d.Gamma(2.5, 1.5).log_prob(u).mean(),
        "beta": d.Beta(2.5, 1.5).log_prob(u / 2).mean(),
        "poisson": d.Poisson(2.5).log_prob(c.kind.to(z.dtype)).mean(),
        "mixture": mixture.log_prob(z).mean(),
        "kl": d.kl_divergence(d.Normal(z, u), d.Normal(0.5, 1.5)).mean(),
    }


class ByRule(torch.optim.Optimizer):
    """Each parameter by `rule(p, g, state, t)`, which gives what is taken from it."""

    def __init__(self, parameters, rule):
        super().__init__(parameters, {})
        self.rule = rule

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                state = self.state[p]
                state["t"] = state.get("t", 0) + 1
                p -= self.rule(p, p.grad, state, state["t"])


def lion(p, g, state, t):
    m = state.get("m", 0)
    state["m"] = 0.99 * m + 0.01 * g
    return 0.01 * (torch.sign(0.9 * m + 0.1 * g) + 0.1 * p)


def lamb(p, g, state, t):
    m, v = state.get("m", 0), state.get("v", 0)
    state["m"], state["v"] = m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
    u = m / (1 - 0.9**t) / ((v / (1 - 0.999**t)).sqrt() + 1e-6) + 0.01 * p
    return 0.02 * p.norm() / u.norm() * u


def muon(p, g, state, t):
    m = state.get("m", 0)
    state["m"] = m = 0.95 * m + 0.05 * g
    x = 0.95 * m + 0.05 * g
    x = x / x.norm()
    for _ in range(5):
        s = x @ x.T
        x = 3.4445 * x + (-4.775 * s + 2.0315 * s @ s) @ x
    return 0.02 * 0.1 * p + 0.02 * max(1, p.shape[1] / p.shape[0]) ** 0.5 * x


def adafactor(parameters):
    return torch.optim.Adafactor(parameters, lr=0.05, eps=(1e-8, 1e-3), weight_decay=0.1)


def net(p, c, training):
    out = dense(p, "dense_2", torch.tanh(dense(p, "dense_1", c.x[:, :8])))
    return out, F.mse_loss(out, c.y)


def matrices(p, c, training):
    out = torch.tanh(c.x[:, :8] @ p["dense_1.w"]) @ p["dense_2.w"]
    return out, F.mse_loss(out, c.y)


for name, make, function in [
    ("sgd_momentum", lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, dampening=0.5, weight_decay=0.01), net),
    ("sgd_nesterov", lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.01, nesterov=True), net),
    ("adamax", lambda p: torch.optim.Adamax(p, lr=0.01), net),
    ("nadam", lambda p: torch.optim.NAdam(p, lr=0.01), net),
    ("radam", lambda p: torch.optim.RAdam(p, lr=0.01), net),
    ("adadelta", lambda p: torch.optim.Adadelta(p, lr=1.0), net),
    ("adam_default", lambda p: torch.optim.Adam(p, lr=0.01), net),
    ("lion", lambda p: ByRule(p, lion), net),
    ("lamb", lambda p: ByRule(p, lamb), net),
    ("muon", lambda p: ByRule(p, muon), matrices),
    ("adafactor", adafactor, matrices),
]:

    def one(p, c, training, function=function):
        return function(p, c, training)

    one.__name__ = name
    OPTIMIZERS[name] = make
    shapes = {"dense_1__w": [8, 5], "dense_2__w": [5, 3]}
    if function is net:
        shapes |= {"dense_1__b": [5], "dense_2__b": [3]}
    case(**shapes)(one)
