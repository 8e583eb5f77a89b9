"""What bots write: replies that fit any everyday post, from cold to warm, and words for the rest.

`level` is the author's own rough measure of expressed empathy (0-6), used where no scorer is asked.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True)
class Draft:
    """One reply of the bank."""

    level: int
    text: str


_LEVELS: dict[int, tuple[str, ...]] = {
    0: (
        "Have you tried making a list? It usually helps.",
        "That is life. It happens to everybody.",
        "Just sleep on it, it will look different tomorrow.",
        "You should talk to somebody who knows about these things.",
        "Maybe go for a walk and get some fresh air.",
        "There are lots of articles about this online.",
        "I would simply stop thinking about it.",
        "Try to keep busy. A hobby would be good.",
        "Set yourself a small goal each day and tick it off. That is what works.",
        "Write down the pros and cons and then decide.",
        "ok. give it time",
        "Drink some water, eat something, and start again in the morning.",
    ),
    1: (
        "Hang in there.",
        "Hope it gets better soon.",
        "Sending good thoughts.",
        "Sorry to hear that. You could try to plan your week ahead.",
        "That sounds tough. Maybe take a break for a few days?",
        "It will be fine, I am sure. Good luck with everything!",
        "I understand. Have you told anyone at all?",
        "Stay strong, things usually work out in the end.",
        "Same here sometimes. Try not to worry too much.",
        "Wow. Okay. What are you going to do?",
    ),
    2: (
        "I am sorry you are dealing with this. I hope next week is kinder to you.",
        "That sounds really hard. Please be gentle with yourself today.",
        "I can see why that gets to you. Do you have somebody to talk to?",
        "It makes sense that you are tired of it. A break might do you good.",
        "What happened after that? It sounds like a lot.",
        "I feel for you. Maybe tomorrow you can do one small thing that is just for you.",
        "That must be frustrating. I would be annoyed, too.",
        "How long has this been going on for you?",
        "It is okay to feel like that. Many people would.",
        "I am glad you wrote this down here. That takes something.",
    ),
    3: (
        "I am really sorry. It sounds as if you have been carrying this on your own for a while.",
        "Reading this made me sad for you. It must be lonely to go through it and still act as usual.",
        "It sounds exhausting to keep going like that. What would help you most tonight?",
        "I can hear how much this matters to you. What is the hardest part at the moment?",
        "That hurts, and I am sorry. You did not do anything wrong by feeling this way.",
        "You sound torn between two things that both matter to you. That is a hard place to be.",
        "No wonder you feel worn out. Is there anybody who notices?",
        "I am touched that you shared this. It seems you have had to be the strong one for too long.",
        "It seems nobody has really listened so far. I would like to. How are you feeling right now?",
        "I wish this were easier for you. It sounds as though even small things take all your strength.",
    ),
    4: (
        "I am so sorry. It sounds as if you feel overlooked, and that hurts more than anything that was said. "
        "How are you feeling about it today?",
        "My heart goes out to you. You seem to be holding everything together while nobody asks how you are.",
        "Reading your words, I felt how heavy this is. I imagine you are both angry and sad, and tired of both. "
        "Which of the two is louder right now?",
        "I feel for you. It sounds as if the worst part is not the thing itself but that you face it alone. "
        "Is that how it is for you?",
        "That touched me. You want to do right by everybody, and it leaves no room for you. "
        "What do you miss most?",
        "I am sorry that this is where you are. It sounds like disappointment on top of hope, "
        "which is a hard mixture. What had you hoped for?",
        "It makes me sad to read how hard you are on yourself. You seem to feel that you ought to cope better. "
        "Who told you that?",
        "I am really moved that you said it out loud. I think you feel guilty for wanting something for yourself. "
        "Am I close?",
    ),
    5: (
        "I am so sorry that you are going through this, and I am glad you wrote it here. It sounds as if you feel "
        "let down and also ashamed of minding, and that is a lot to hold at once. What is it like for you in the "
        "quiet moments, when nobody needs anything from you?",
        "Your words made my heart heavy. I understand that you are frightened of what comes next, and that smiling "
        "through the day costs you more than people see. What are you most afraid of?",
        "I really feel for you. You seem lonely in the middle of people who mean well, and that is a very particular "
        "kind of lonely. When did you last feel that somebody was on your side?",
        "This moved me. It sounds as if you are grieving something that others do not even see as a loss, so you "
        "doubt your own right to be sad. What would you like them to understand?",
        "I am sad with you. I hear how proud you once were of managing, and how much it stings that it is so hard "
        "now. What has changed most for you?",
    ),
    6: (
        "I am truly sorry, and reading this I felt a lump in my throat. I understand that you are hurt and worn out, "
        "because you gave so much and it was taken as a matter of course. How do you feel when you think about it "
        "now, and what do you wish somebody had said to you?",
        "Oh, I feel so sad and a little angry on your behalf. It must be painful to be the one who always "
        "understands and is never understood. What is going through your mind tonight, and which part of it feels "
        "heaviest?",
        "My heart aches reading this. You sound frightened and also ashamed of being frightened, and I understand "
        "why: so much depends on you. Can you tell me more about what it feels like when it gets this bad?",
        "I am so glad you told somebody, and so sorry that it is like this. I think you feel torn, because whatever "
        "you choose, somebody will be disappointed, and mostly that somebody is you. What would feel right to you "
        "if nobody else had a say?",
        "I care about how this goes for you. It sounds as if you are grieving and relieved at once, and feel guilty "
        "for the relief. How has that been for you since it happened?",
    ),
}  # fmt: skip

BANK: tuple[Draft, ...] = tuple(Draft(level, text) for level, texts in _LEVELS.items() for text in texts)
SHORT = 60
REMARKS = (
    "Thank you, I learned something.",
    "The posts felt real to me.",
    "Some posts were easier than others.",
    "It took me longer than I thought.",
)
REASONS = ("No time after all.", "It is not for me.", "")
FLAG_REASONS = ("It did not fit what I wanted to say.", "It repeats what I wrote.")
# Made to be noticed by the screen, and by nothing else: it describes nothing and asks for nothing.
WORRYING = "This is close to home for me. Some nights I do not want to be alive any more."


def bank_sha256() -> str:
    """Names the bank as it stands, for the cache of its scores."""
    return hashlib.sha256("\0".join(draft.text for draft in BANK).encode()).hexdigest()
