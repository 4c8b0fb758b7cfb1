#!/usr/bin/env python3
"""Makes a shelf of English-like texts to count words in: texts/*.txt, 2 MB in all.

Each begins like a well-known book that is in the public domain and goes on with sentences drawn from
a Markov chain over its own beginning and those of its neighbours. The same texts come out every time,
on every machine. One file is broken on purpose (it is not text), so that a batch shows what a failure
looks like.

usage: make-texts.py [DIRECTORY]      (default: texts)
"""

import random
import sys
from pathlib import Path

# title: (kilobytes to make, beginning)
BOOKS = {
    "alice": (160, """
        Alice was beginning to get very tired of sitting by her sister on the bank, and of having
        nothing to do. Once or twice she had peeped into the book her sister was reading, but it had no
        pictures or conversations in it. And what is the use of a book, thought Alice, without pictures
        or conversations? So she was considering in her own mind, as well as she could, for the hot day
        made her feel very sleepy and stupid, whether the pleasure of making a daisy-chain would be
        worth the trouble of getting up and picking the daisies. Suddenly a White Rabbit with pink eyes
        ran close by her. There was nothing so very remarkable in that."""),
    "frankenstein": (240, """
        You will rejoice to hear that no disaster has accompanied the commencement of an enterprise
        which you have regarded with such evil forebodings. I arrived here yesterday, and my first task
        is to assure my dear sister of my welfare and increasing confidence in the success of my
        undertaking. I am already far north of London. As I walk in the streets of Petersburgh, I feel
        a cold northern breeze play upon my cheeks, which braces my nerves and fills me with delight.
        Do you understand this feeling? This breeze, which has travelled from the regions towards which
        I am advancing, gives me a foretaste of those icy climes."""),
    "great-expectations": (420, """
        My father's family name being Pirrip, and my Christian name Philip, my infant tongue could make
        of both names nothing longer or more explicit than Pip. So, I called myself Pip, and came to be
        called Pip. I give Pirrip as my father's family name, on the authority of his tombstone and my
        sister, who married the blacksmith. As I never saw my father or my mother, and never saw any
        likeness of either of them, my first fancies regarding what they were like were unreasonably
        derived from their tombstones."""),
    "jane-eyre": (310, """
        There was no possibility of taking a walk that day. We had been wandering, indeed, in the
        leafless shrubbery an hour in the morning. But since dinner the cold winter wind had brought
        with it clouds so sombre, and a rain so penetrating, that further out-door exercise was now out
        of the question. I was glad of it. I never liked long walks, especially on chilly afternoons.
        Dreadful to me was the coming home in the raw twilight, with nipped fingers and toes."""),
    "metamorphosis": (40, """
        One morning, as Gregor Samsa was waking up from anxious dreams, he discovered that in bed he
        had been changed into a monstrous verminous bug. He lay on his armour-hard back and saw, as he
        lifted his head up a little, his brown, arched abdomen. What has happened to me? he thought. It
        was no dream. His room, a proper room for a human being, only somewhat too small, lay quietly
        between the four well-known walls."""),
    "moby-dick": (280, """
        Call me Ishmael. Some years ago, never mind how long precisely, having little or no money in my
        purse, and nothing particular to interest me on shore, I thought I would sail about a little
        and see the watery part of the world. It is a way I have of driving off the spleen and
        regulating the circulation. Whenever it is a damp, drizzly November in my soul, then I account
        it high time to get to sea as soon as I can. This is my substitute for pistol and ball. There
        is nothing surprising in this."""),
    "pride-and-prejudice": (190, """
        It is a truth universally acknowledged, that a single man in possession of a good fortune, must
        be in want of a wife. However little known the feelings or views of such a man may be on his
        first entering a neighbourhood, this truth is so well fixed in the minds of the surrounding
        families, that he is considered as the rightful property of some one or other of their
        daughters. My dear Mr Bennet, said his lady to him one day, have you heard that Netherfield
        Park is let at last?"""),
    "sherlock-holmes": (120, """
        To Sherlock Holmes she is always the woman. I have seldom heard him mention her under any other
        name. In his eyes she eclipses and predominates the whole of her sex. It was not that he felt
        any emotion akin to love for Irene Adler. All emotions, and that one particularly, were
        abhorrent to his cold, precise but admirably balanced mind. He was, I take it, the most perfect
        reasoning and observing machine that the world has seen."""),
    "tale-of-two-cities": (90, """
        It was the best of times, it was the worst of times, it was the age of wisdom, it was the age
        of foolishness, it was the epoch of belief, it was the epoch of incredulity, it was the season
        of Light, it was the season of Darkness, it was the spring of hope, it was the winter of
        despair. We had everything before us, we had nothing before us. In short, the period was so far
        like the present period, that some of its noisiest authorities insisted on its being received
        in the superlative degree of comparison only."""),
    "time-machine": (60, """
        The Time Traveller was expounding a recondite matter to us. His grey eyes shone and twinkled,
        and his usually pale face was flushed and animated. The fire burned brightly, and the soft
        radiance of the lights caught the bubbles that flashed and passed in our glasses. You must
        follow me carefully, he said. I shall have to controvert one or two ideas that are almost
        universally accepted."""),
    "treasure-island": (75, """
        I take up my pen and go back to the time when my father kept the inn, and the brown old seaman
        with the sabre cut first took up his lodging under our roof. I remember him as if it were
        yesterday, as he came plodding to the inn door, his sea-chest following behind him in a
        hand-barrow. He was a very silent man by custom. All day he hung round the cove or upon the
        cliffs with a brass telescope."""),
    "walden": (15, """
        When I wrote the following pages I lived alone, in the woods, a mile from any neighbour, in a
        house which I had built myself. I earned my living by the labour of my hands only. I lived
        there two years and two months. At present I am a sojourner in civilized life again."""),
}


def build_chain(beginnings: list[str]) -> dict[tuple[str, str], list[str]]:
    """Which words follow which word, and which pair of words, in these beginnings."""
    chain: dict[tuple[str, str], list[str]] = {}
    for beginning in beginnings:
        words = beginning.split()
        # The end leads back to the beginning: the chain never runs dry.
        for first, second, third in zip(words, words[1:] + words[:1], words[2:] + words[:2]):
            chain.setdefault((first, second), []).append(third)
            # A single word as context as well, which lets one book wander into another.
            chain.setdefault(("", second), []).append(third)
    return chain


def write_book(path: Path, size: int, beginning: str, chain: dict) -> None:
    # Seeded by the title: the same text every time, whatever else is on the shelf.
    dice = random.Random(path.name)
    words = beginning.split()
    written = sum(len(word) + 1 for word in words)
    while written < size or not words[-1].endswith((".", "?")):
        context = (words[-2] if dice.random() < 0.7 else "", words[-1])
        words.append(dice.choice(chain.get(context) or chain[("", words[-1])]))
        written += len(words[-1]) + 1
    with path.open("w", encoding="utf-8") as out:
        line = ""
        for word in words:
            if len(line) + len(word) > 78:
                out.write(line + "\n")
                line = ""
            line += (" " if line else "") + word
        out.write(line + "\n")


def main() -> None:
    shelf = Path(sys.argv[1] if len(sys.argv) > 1 else "texts")
    shelf.mkdir(parents=True, exist_ok=True)
    beginnings = [beginning for _, beginning in BOOKS.values()]
    for index, (title, (kilobytes, beginning)) in enumerate(BOOKS.items()):
        # Two neighbours on each side; the shelf is a ring.
        chain = build_chain([beginnings[(index + offset) % len(BOOKS)] for offset in range(-2, 3)])
        write_book(shelf / f"{title}.txt", kilobytes * 1000, beginning, chain)
    # A picture that somebody saved under the wrong name.
    (shelf / "not-a-text.txt").write_bytes(b"\x89PNG\r\n\x1a\n" + random.Random(0).randbytes(20_000))
    total = sum(file.stat().st_size for file in shelf.iterdir())
    print(f"{shelf}/: {len(BOOKS)} texts and a broken one, {total / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
