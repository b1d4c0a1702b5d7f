"""Words of links that say nothing of where they lead, in the languages of our themes."""

from __future__ import annotations

_WORDS = {
    "en": "click here|here|click|this|this link|link|more|read more|learn more|see more|details|"
    "continue reading|this page|see here|go here|full story",
    "de": "hier|hier klicken|klicken sie hier|klick hier|klicke hier|link|dieser link|mehr|"
    "mehr lesen|weiterlesen|mehr erfahren|mehr dazu|weiter",
    "fr": "ici|cliquez ici|clique ici|lien|ce lien|plus|lire la suite|en savoir plus|lire plus|"
    "voir plus",
    "es": "aquí|aqui|haz clic aquí|haga clic aquí|clic aquí|pincha aquí|enlace|este enlace|más|"
    "leer más|ver más|más información|seguir leyendo",
    "zh": "这里|点击这里|点这里|点击此处|点此|此处|链接|更多|阅读更多|查看更多|了解更多|阅读全文|"
    "這裡|點擊這裡|點此|連結|閱讀更多",
    "ja": "こちら|ここ|ここをクリック|こちらをクリック|クリック|リンク|もっと見る|"
    "続きを読む|もっと読む|詳細|詳しくはこちら",
    "ar": "هنا|انقر هنا|اضغط هنا|رابط|الرابط|المزيد|اقرأ المزيد",
    "hi": "यहाँ|यहां|यहाँ क्लिक करें|यहां क्लिक करें|लिंक|और|और पढ़ें|अधिक|अधिक पढ़ें",
}

#: In whatever language the issue is written: words of another would not say more.
VAGUE = frozenset(word for words in _WORDS.values() for word in words.split("|"))
