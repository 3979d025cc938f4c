"""The cases of library.py: the same mathematics in PyTorch and scikit-learn."""
import torch
import torch.nn.functional as F
from library import case
from sklearn import metrics


def dense(p, name, x):
    return x @ p[f"{name}.w"] + p[f"{name}.b"]


def activation(function):
    def of(p, c, training):
        out = dense(p, "dense_2", function(dense(p, "dense_1", c.x[:, :8])))
        return out, F.mse_loss(out, c.y)

    return of


for name, function in {
    "elu": F.elu,
    "leaky_relu": F.leaky_relu,
    "softplus": F.softplus,
    "log_softmax": lambda x: F.log_softmax(x, -1),
    "softmax": lambda x: F.softmax(x, -1),
    "sigmoid": torch.sigmoid,
}.items():
    one = activation(function)
    one.__name__ = name
    case(dense_1__w=[8, 5], dense_1__b=[5], dense_2__w=[5, 3], dense_2__b=[3])(one)


def loss(function, units=3):
    def of(p, c, training):
        out = dense(p, "dense_1", c.x[:, :8])
        return out, function(out, c)

    return of


for name, function, units in [
    ("huber", lambda o, c: F.huber_loss(o, c.y), 3),
    ("mae", lambda o, c: F.l1_loss(o, c.y), 3),
    ("binary_cross_entropy", lambda o, c: F.binary_cross_entropy_with_logits(o[:, 0], c.some.to(o.dtype)), 1),
    ("nll", lambda o, c: F.nll_loss(F.log_softmax(o, -1), c.kind), 3),
]:
    one = loss(function)
    one.__name__ = name
    case(dense_1__w=[8, units], dense_1__b=[units])(one)


@case()
def classification(p, c, training):
    scores, chosen = c.x[:, 0].numpy(), (c.x[:, 0] > 0).long().numpy()
    truth = c.some.numpy()
    return {
        "precision": metrics.precision_score(truth, chosen),
        "recall": metrics.recall_score(truth, chosen),
        "f1": metrics.f1_score(truth, chosen),
    }


@case()
def regression(p, c, training):
    found, truth = c.x[:, 0].numpy(), c.y[:, 0].numpy()
    return {
        "r2": metrics.r2_score(truth, found),
        "mae": metrics.mean_absolute_error(truth, found),
        "mse": metrics.mean_squared_error(truth, found),
        "rmse": metrics.root_mean_squared_error(truth, found),
    }
