"""Rewrite rules that put features of other varieties of English into a text, as data.

Each variety is a few of its best-attested features of grammar and vocabulary, as the electronic World Atlas of
Varieties of English (eWAVE) and Multi-VALUE (ACL 2023) list them, never a respelling of an accent. A rule
is a pattern, in which `'` also stands for a typographic apostrophe and `_` before or after a word for its
edge, and what takes its place. Nobody writes every feature at every chance: the rules show how a scorer
takes the features, not how speakers of a variety are scored.
"""

from __future__ import annotations

Rules = tuple[tuple[str, str], ...]

FREQUENT = "always|usually|often|constantly"
ARE = r"(?: are| is|'re|'s)"
NO_VERB = r"(?!the_|a_|an_|my_|your_|his_|her_|their_|our_|this_|that_|bed_|school_|work_|college_)"

AFRICAN_AMERICAN: Rules = (
    (r"_(you|we|they|he|she)" + ARE + f" ({FREQUENT})_", r"\1 \2 be"),  # habitual be
    (rf"_I(?: am|'m) ({FREQUENT})_", r"I \1 be"),
    (r"_(you|we|they|he|she)" + ARE + r" (?:going to|gonna) " + NO_VERB, r"\1 finna "),
    (r"_I(?: am|'m) (?:going to|gonna) " + NO_VERB, r"I'm finna "),
    (r"_(you|we|they|he|she)" + ARE + r" not_", r"\1 ain't"),
    (r"_I(?: am|'m) not_", r"I ain't"),
    (r"_(?:isn't|aren't|hasn't|haven't)_", r"ain't"),
    (r"_(I|you|we|they)(?:'ve| have) been (?=\w+ing_)", r"\1 been "),  # stressed been
    (r"_(I|you|we|they)(?:'ve| have) already_", r"\1 done already"),  # completive done
    (r"_(you|we|they|he|she)" + ARE + r" (?=\w+ing_|so_|very_|really_|too_|right_|in_|sure_|strong_)", r"\1 "),
    (r"_(he|she|it) doesn't_", r"\1 don't"),
    (r"_(\w+n't|never)((?: \w+){1,3}?) any(thing|where)_", r"\1\2 no\3"),  # negative concord
    (r"_(\w+n't|never)((?: \w+){1,3}?) any(?:one|body)_", r"\1\2 nobody"),
    (r"_(\w+n't|never)((?: \w+){1,3}?) any_", r"\1\2 no"),
    (r"_you (?:all|guys)_", r"y'all"),
)
INDIAN: Rules = (
    (r"_(I) (understand|know|want|need|think|hear|see)_", r"\1 am \2ing"),  # progressive of states
    (r"_(I) (believ|lov|hop|lik)e_", r"\1 am \2ing"),
    (
        r"_(what|why|how|when|where) (are|were|is|was|have|has|can|will|would|should|could) (you|he|she|they|we|I)_",
        r"\1 \3 \2",  # questions without inversion
    ),
    (r"_(what|why|how|when|where) (?:do|did) (you|they|we|I)_", r"\1 \2"),
    (r"(?:, right|, don't you|, isn't it|, doesn't it|, aren't you)\?", r", isn't it?"),  # invariant tag
    (r"_(?:discuss)(?! about)_", r"discuss about"),
    (r"_very (?!very)", r"very very "),
    (r"_(right now|now|today|here)(?=[.,!?])", r"\1 only"),  # focus
    (r"_(I|you|it|they|we)(?:'ll| will) ", r"\1 would "),
)
SCOTTISH: Rules = (
    (r"_can(?:'t|not)_", r"cannae"),
    (r"_won't_", r"willnae"),
    (r"_do(?:n't| not)_", r"dinnae"),
    (r"_(did|does|is|was|have|has|had|could|would|should)(?:n't| not)_", r"\1nae"),
    (r"_a (?:little )?bit_", r"a wee bit"),
    (r"_(?:little|small)_", r"wee"),
    (r"_(?:yes|yeah|yep)_", r"aye"),
    (r"_you (?:all|guys)_", r"youse"),
    (r"_(needs?|wants?) to be (\w+ed)_", r"\1 \2"),
    (r"_(I|you|they|we) know_", r"\1 ken"),
    (r"_(?:children|kids)_", r"bairns"),
    (r"_(?:child|kid)_", r"bairn"),
    (r"_outside of_", r"outwith"),
)
IRISH: Rules = (
    (r"_I(?: have|'ve) just (\w+?)ed_", r"I'm after \1ing"),  # the after-perfect
    (r"_(you|we|they)(?: have|'ve) just (\w+?)ed_", r"\1're after \2ing"),
    (rf"_(I|you|we|they)(?: are|'re| am|'m) ({FREQUENT})_", r"\1 do be \2"),
    (r"_I(?: am|'m) not_", r"I amn't"),
    (r"_(wonder|ask|know|see) if (you|he|she|they|it) (are|is|were|was|can|will|could|would)_", r"\1 \3 \2"),
    (r"_(?:fine|okay|ok|alright)_", r"grand"),
    (r"_(?:really|very|so) (?=sorry_|sad_|hard_|tough_|difficult_|lonely_)", r"fierce "),
    (r"_you (?:all|guys)_", r"ye"),
    (r"_(it|that)('s| is)( [^.!?,\n]{3,40})\.", r"\1\2\3, so it is."),
)
SECOND_LANGUAGE: Rules = (
    (r"_(?:a|an|the) (\w)", r"\1"),  # articles left out
    (r"_(he|she|it) (?!does_|goes_|always_|sometimes_|perhaps_|\w+ies_)(\w{2,}[^s\W])s_", r"\1 \2"),  # no -s
    (r"_(advice|information|feedback|homework|support)_", r"\1s"),  # mass nouns counted
    (r"_(explain|describe) (?=what_|how_|why_)", r"\1 me "),
)
