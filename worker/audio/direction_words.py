"""The vocabulary of directions in the models' languages.

A missing word costs one more take: two takes of the same length are accepted (`gate.may_agree`).
"""

from __future__ import annotations

import re
from typing import Final

SPEECH_VERBS: Final = (
    r"read|say|speak|narrate|recite|whisper|shout|sing|announce|pronounce|deliver|voice|"
    r"lies|lest|lese|sprich|sprechen|sag|sage|flüstere|trage|lis|lisez|dis|dites|parle|parlez|prononce[zr]?|"
    r"lee|lea|di|diga|habla|hable|narra|leggi|parla|leia|fale|lees|spreek|zeg|läs|säg|przeczytaj|powiedz|"
    r"прочитай(?:те)?|прочти(?:те)?|читай(?:те)?|скажи(?:те)?|говори(?:те)?|oku|söyle|seslendir|"
    r"(?:hãy )?đọc|nói|bacalah|bacakan|baca|ucapkan|katakan|διάβασε|διαβάστε|πες|πείτε|קרא[יו]?|אמור|אמרי|דבר|"
    r"اقرأ|اقرئي|قل|تحدث|بخوان|بگو|læs|les|lue|sano|olvasd|mondd|citește|spune|přečti|přečtěte|řekni|прочитайте|скажіть"
)
"""An instruction may begin with one of these, after "please"."""
PLEASE: Final = (
    r"please|kindly|now|can you|could you|i want you to|i'd like you to|bitte|s'il (?:te|vous) plaît|por favor|"
    r"per favore|пожалуйста"
)
ROLES: Final = (
    r"you are|you're|your (?:role|task|job) is|act as|act like|pretend|imagine you|du bist|tu es|vous êtes|eres|sei|"
    r"você é|ты"
)
MANNERS: Final = (
    r"as|in an?|with|make|tell|imagine|perform|play|use|using|style|tone|tts|act|generate|create|convert|keep|adopt|"
    r"sound"
)
"""An instruction may begin with one of these, and so may any prose."""
VOICE_WORDS: Final = (
    r"voice|voices|tone|accent|narrat\w*|aloud|out loud|speak\w*|spoken|whisper\w*|pace|pacing|paced|pitch|delivery|"
    r"audiobook|announcer|intonation|cadence|enunciat\w*|pronounc\w*|voice-?over|read(?:ing|s)?|listener\w*|host|persona|"
    r"stimme|tonfall|akzent|vorlesen|sprecher\w*|erzähl\w*|voix|ton|narrat\w+|lecture|voz|tono|tom|voce|stem|röst|głos\w*|"
    r"голос\w*|тон\w*|рассказчик\w*|ses(?:le|li|ini?|imi?)|tonla|giọng|suara|nada|φων[ήέ]ς?|τόνος?|"
    r"בקול|קול|בטון|ب?صوت|ب?نبرة|صدای|لحن|stemme|äänellä|hangon|hangnem|vocea?|hlas\w*|tón\w*"
)
WIDE_DIRECTIONS: Final = (
    r"पढ़|पढ़|बोल(?:ें|िए|ो)|आवाज़|आवाज|स्वर में|পড়ুন|পড়ো|কণ্ঠ|গলায়|குரல|வாசி|స్వరం|చదవ|อ่าน|น้ำเสียง|เสียง|"
    r"朗读|请用|请以|语气|声音|语调|旁白|読んで|読み上げ|話して|声で|口調|ナレーション|읽어|말해|목소리|어조|낭독"
)
"""Where words have no gaps between them, or end in signs that are no letters."""
SPOKEN_LABELS: Final = (
    r"(?:the )?(?:full |exact )?(?:transcript(?:ion)?|script|text|lines?|words|dialogue|speech|content|message|input|"
    r"sentence|passage|narration|copy|prompt text|body|say|speak|read|utterance|quote|spoken text|voice-?over)"
    r"(?: (?:to|for|you|that|the|be|is|are|should|must|will|say|speak|speech|spoken|read|aloud|out|loud|exactly|"
    r"verbatim|only|this|following|below|begins?|starts?|here|synthesi[sz]e|tts|narration|narrate)){0,8}"
    r"|(?:read|say|speak) (?:this|the following|exactly|only)[^:：\n]{0,40}"
    r"|(?:zu sprechender |vorzulesender )?text(?: zum vorlesen)?|sprich|sag|lies|vorlesen|transkript|skript|sprechtext"
    r"|texte(?: à (?:lire|dire|prononcer))?|à lire|lis|lisez|dis|dites|transcription"
    r"|texto(?: (?:a|para|que|de) \w+){0,2}|transcripción|transcrição|di|lee|testo(?: da leggere)?|trascrizione"
    r"|tekst(?: \w+){0,2}|текст(?: \w+){0,2}|транскрипт|расшифровка|прочитай|скажи|metin|okunacak metin|نص|النص|متن"
    r"|पाठ|टेक्स्ट|वाक्य|পাঠ্য|உரை|ข้อความ|văn bản|đoạn văn|teks|κείμενο|טקסט|szöveg|teksti|testul|textul"
    r"|(?:朗读|播报|口播|要读的|需要朗读的)?(?:文本|文字|正文|台词|内容|文稿)|朗读|请朗读|读|说|原稿|本文|台本|読み上げ(?:る)?(?:テキスト|文)?|テキスト|セリフ|台詞"
    r"|텍스트|대본|대사|본문|읽기|읽을 (?:텍스트|내용)"
)
"""What stands before the colon of the words to be spoken."""
NOTE_LABELS: Final = (
    r"(?:voice |speaking |audio |delivery |director['’]?s? |acting |stage |style |system |general |performance )?"
    r"(?:instructions?|style|tone|voice|context|scene|setting|persona|notes?|accent|pace|pacing|speed|emotions?|mood|"
    r"character|role|audience|language|delivery|profile|system|prompt|directions?|direction|description|guidelines?|"
    r"affect|personality|pronunciation|pauses?|phrasing|dialect|features|identity|demeanou?r|enthusiasm|formality|rate|"
    r"pitch|volume|task|background|genre|format|gender|age|energy|intonation|environment|speakers?|title)"
    r"|anweisung(?:en)?|stil|tonfall|stimme|szene|rolle|hinweise?|kontext|consignes?|instructions|voix|ton|style|contexte"
    r"|instrucciones|estilo|voz|tono|contexto|istruzioni|stile|voce|tom|instruções|instructies|stijl|инструкци[яи]|стиль|тон|голос"
    r"|talimat(?:lar)?|üslup|ses tonu|التعليمات|تعليمات|الأسلوب|نبرة|निर्देश|शैली|स्वर|নির্দেশ|คำแนะนำ|สไตล์|hướng dẫn"
    r"|phong cách|giọng|instruksi|petunjuk|gaya|οδηγίες|ύφος|הוראות|סגנון|utasítás|stílus|ohjeet?|tyyli|instrucțiuni"
    r"|pokyny|styl|wskazówki|instrukcj[ae]"
    r"|指示|风格|語気|语气|声音|语调|场景|角色|要求|说明|口調|声|スタイル|トーン|場面|役|지시|스타일|톤|목소리|어조|장면|역할"
)
"""What stands before the colon of a direction."""
SPOKEN_ELEMENTS: Final = frozenset(
    re.findall(
        r"\S+",
        """
        text transcript script say speak speech content body read input s p prosody emphasis voice say-as sub phoneme
        lang w line lines dialogue dialog utterance sentence b i em strong u span a html div mark small q blockquote
        li ul ol h1 h2 h3 article section main br message passage narration
        """,
    )
)
"""Elements of markup whose content is read; that of every other one may be a direction."""
TEXT_ELEMENTS: Final = frozenset({"text", "transcript", "script", "speech", "speak"})
"""Elements beside which all else is a direction."""
