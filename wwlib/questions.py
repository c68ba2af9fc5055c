"""Quiz questions of the lessons: the digest of each right choice and the explanation shown once it is found."""

from __future__ import annotations

from wwlib.exercises import Question

_QUESTIONS = (
    Question(
        "00.a", "b6b6c3d69946f777", "A mask bounds where a code may act; what it does there, only moving it shows."
    ),
    Question("00.b", "fd69fb182d41481d", "One code, two causes: that is entanglement."),
    Question(
        "00.c", "b0188200ec2f75db", "We own the renderer, so we can change one factor and compare pixel by pixel."
    ),
    Question(
        "01.a",
        "03bd2b728bbcad6d",
        "Both hold the same information, and the decoder can turn it back; the loss never sees axes.",
    ),
    Question(
        "01.b", "c0bf289fb5ec0088", "Where all four shapes show the same surface in the same light, nothing changes."
    ),
    Question(
        "01.c", "4f737eba93fdba13", "A code that moves little or at random wins some votes for every factor by chance."
    ),
    Question("02.a", "3b1a7f7e285e5e09", "cumax ends at exactly 1, so 1 - cumax ends at 0, in rows and in columns."),
    Question("02.b", "95c0e78b6ec465ca", "The mask is the mean of the four: one rectangle alone contributes 1/J."),
    Question(
        "02.c", "0c8d0e532f364c36", "The last code is painted over the others: its weight is 1 and the rest get 0."
    ),
    Question(
        "02.d",
        "3a4cbed1fb499c5f",
        "A linear layer reads the mask from the map's mean over space; the code does not enter its own mask.",
    ),
    Question(
        "03.a",
        "15cf2bf5eb7a81a3",
        "The saturating loss is flat where D is sure; the non-saturating one has slope -1 there.",
    ),
    Question(
        "03.b", "8619c431f8485d35", "Without detach the backward pass of D's loss runs through the drawings into G."
    ),
    Question(
        "03.c",
        "f5001835bb88f1ec",
        "The losses say that the players are even, not how good the pictures are. Look at them.",
    ),
    Question(
        "04.a",
        "8ad2c0b65c9b15d4",
        "A rotation keeps the norm, and the two networks can absorb it: same pictures, same reading.",
    ),
    Question(
        "04.b",
        "9b04fb1c80119503",
        "c' lies far outside N(0, 1): asking its picture to look real would be another task.",
    ),
    Question(
        "04.c",
        "6ba1737ecc32fafb",
        "The average is 0.5 too high as well, so the term is 0.5 squared: 0.25. Nothing cancels.",
    ),
    Question(
        "05.a",
        "123765fbe96cd569",
        "The published code has no penalty on masks. Overlap makes codes hard to read, so it does not pay.",
    ),
    Question(
        "05.b",
        "63e3f49fe86567d4",
        "Adam's estimates set every weight's step size; without them the first steps differ, and a GAN amplifies that.",
    ),
    Question(
        "05.c",
        "b06d79716ef4c349",
        "High positions act at fine resolution: the geometry is laid out already, colour is what is left.",
    ),
    Question("06.a", "aa4779f3929a7530", "A threshold fitted to the pictures that judge it would flatter the masks."),
    Question("06.b", "44ab6d54a301e23c", "Where is not whether. Look at the row beside the mask."),
    Question("06.c", "5954a7419e6d56ca", "Rebuilding alone costs 0.05; the transfer adds the difference."),
    Question(
        "07.a",
        "6469415769614bbd",
        "A classifier on all codes still sees a pattern for each factor; the gap of single codes cannot.",
    ),
    Question(
        "07.b", "8804f62962938895", "The classifier decides: one representation got 0.004 to 0.61 from different ones."
    ),
    Question("07.c", "12ae7e2bf9df4b09", "Only the where score looks at pixels; the rest see what can be read off."),
    Question("08.a", "954bed1f23664e56", "A sum over seven codes and a sum over three are not comparable."),
    Question("08.b", "2c6bc80867a8f4b1", "Half the step, a quarter of its square, twice as many: one half."),
    Question("08.c", "c12013fefc1941d6", "Mixtures pass through the change of both factors at every step."),
    Question("09.a", "022ddb2cbf895de1", "Ranks use only the order, and the two scores have no common scale."),
    Question(
        "09.b", "632fc5b494a8a9f6", "Codes that sleep cost nothing: TPL rewards a collapse unless codes are counted."
    ),
    Question(
        "09.c", "799de8659959e428", "An interval from bootstrap over models says how far chance could have moved it."
    ),
    Question("10.a", "d184c6637cfc2eb9", "With three seeds, apart means that no seed of one reaches any of the other."),
    Question(
        "10.b", "bdc0cceb85e9ae94", "A plain GAN's codes are whatever they happen to be: Q reads them, G does not care."
    ),
    Question("10.c", "d2a2757fb4d2cfc9", "The change shows where a code acts; the score needs no mask."),
    Question(
        "11.a",
        "d85f73bef556257f",
        "Eyes and votes ask different questions; a reader needs both, and which was asked.",
    ),
    Question("11.b", "b98c57ca04de8c64", "An answer without a model is the level from which a model's answer counts."),
    Question(
        "11.c", "04dcda2e1222f2f1", "TPL asks the generator alone; the other three need the factors of every picture."
    ),
    Question("11.d", "7b3b576adbfdbf91", "Another crop is another data set, and a score belongs to its pictures."),
    Question("17.a", "863f231645770a9e", "N(0, I) looks the same from every side; only pairs say which side is which."),
    Question("17.b", "2de4c3f8d23c352b", "A bijection keeps all information, and every sorted code can be drawn."),
    Question(
        "17.c", "8ce0a3c4ec597cd0", "1 / (1 - 0.999²) is 500: the loss is all about noise that no block can remove."
    ),
    Question(
        "17.d",
        "fa736b7787d80fc1",
        "Pose is no label, but it may move a logit; and a probe can tell what the residual holds.",
    ),
    Question(
        "18.a",
        "76dde40ec36a5f53",
        "A share can only be told of what varies: what the autoencoder drops, no flow can draw.",
    ),
    Question(
        "18.b",
        "3f05b5beb5433f34",
        "Of a condition that says nothing, the flow learns p(code): all variance is left open.",
    ),
    Question(
        "18.c",
        "ce86b43517c317eb",
        "Conv1 still holds nearly the whole picture; the small change only grows on its way.",
    ),
    Question(
        "18.d",
        "c1e07209d420dcaf",
        "The probabilities of sure answers are all near 0 or 1: what lies between is rounded away.",
    ),
    Question("19.a", "dc507aa117fd0101", "The mean of all pictures with these logits has no colour and no place."),
    Question("19.b", "4a9ce4c1b711fe2b", "Only pairs of code and embedding enter; the experts are not even needed."),
    Question("19.c", "9b499d27e2680de1", "The loss is that entropy plus two terms, and both must then be 0."),
    Question("19.d", "a76df7cfcfce2490", "An edit replaces what the condition says and keeps all the rest."),
    Question("20.a", "3c818b59f13450c4", "The map holds no colour, and code = condition + residual: it is in v."),
    Question("20.b", "4315871ccdba83c4", "Both ways are exact inverses of each other, whatever was learned."),
    Question(
        "20.c",
        "47e384ed99261f2a",
        "Any rearrangement within a domain that keeps the Gaussian is as likely; a second expert can rule it out.",
    ),
    Question("20.d", "1ccc0510cf8ccde8", "What the condition says, the residual need not hold, and cannot vary."),
)

QUESTIONS = {question.id: question for question in _QUESTIONS}
