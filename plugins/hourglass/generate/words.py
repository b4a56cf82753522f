"""Names, places and agents that generated records are made of."""

from __future__ import annotations

# ASCII, so that user names and e-mail addresses can be made of them.
FIRST_NAMES = (
    "Ada", "Amir", "Ana", "Ben", "Bruno", "Carla", "Chen", "Clara", "Dana", "David", "Elena", "Emil", "Eva",
    "Farah", "Felix", "Grace", "Hana", "Hugo", "Ines", "Ivan", "Jack", "Jana", "Joao", "Kai", "Karim", "Lea",
    "Leo", "Lina", "Lucas", "Maria", "Mateo", "Mia", "Mohammed", "Nadia", "Nina", "Noah", "Olga", "Omar",
    "Paula", "Pedro", "Priya", "Rafael", "Rosa", "Sara", "Sofia", "Tariq", "Tomas", "Uma", "Wei", "Yuki",
)  # fmt: skip
LAST_NAMES = (
    "Adams", "Ahmed", "Almeida", "Baker", "Bauer", "Brown", "Costa", "Cruz", "Diaz", "Dubois", "Evans",
    "Fischer", "Garcia", "Gomez", "Haddad", "Hoffmann", "Ibrahim", "Jensen", "Jones", "Kaya", "Khan", "Kim",
    "Kowalski", "Lee", "Lopez", "Martin", "Meyer", "Miller", "Moreau", "Nguyen", "Novak", "Okafor", "Olsen",
    "Patel", "Pereira", "Petrov", "Popescu", "Ricci", "Rossi", "Sato", "Schmidt", "Silva", "Singh", "Smith",
    "Suzuki", "Tanaka", "Taylor", "Wang", "Weber", "Yilmaz",
)  # fmt: skip
# Reserved for documentation, so that no real person is written to.
MAIL_DOMAINS = {"example.com": 50, "example.org": 25, "example.net": 15, "mail.example": 10}
# Country code: weight, then region and city pairs.
PLACES: dict[str, tuple[int, tuple[tuple[str, str], ...]]] = {
    "US": (34, (("California", "Los Angeles"), ("New York", "New York"), ("Texas", "Austin"))),
    "IN": (14, (("Maharashtra", "Mumbai"), ("Karnataka", "Bengaluru"), ("Delhi", "New Delhi"))),
    "BR": (10, (("São Paulo", "São Paulo"), ("Rio de Janeiro", "Rio de Janeiro"))),
    "DE": (8, (("Bayern", "München"), ("Berlin", "Berlin"), ("Hamburg", "Hamburg"))),
    "GB": (8, (("England", "London"), ("Scotland", "Edinburgh"))),
    "FR": (7, (("Île-de-France", "Paris"), ("Rhône", "Lyon"))),
    "JP": (6, (("Tokyo", "Tokyo"), ("Osaka", "Osaka"))),
    "MX": (5, (("Jalisco", "Guadalajara"), ("CDMX", "Mexico City"))),
    "ES": (4, (("Madrid", "Madrid"), ("Cataluña", "Barcelona"))),
    "CA": (4, (("Ontario", "Toronto"), ("Québec", "Montréal"))),
}
STREETS = ("Main Street", "High Street", "Park Avenue", "Station Road", "Mill Lane", "Church Street")
USER_AGENTS = {
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 "
    "Safari/537.36": 34,
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.1 Mobile/15E148 Safari/604.1": 27,
    "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Mobile "
    "Safari/537.36": 22,
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 "
    "Safari/605.1.15": 11,
    "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0": 6,
}
WORDS = (
    "a", "about", "again", "all", "and", "beach", "best", "blue", "city", "coffee", "day", "evening", "first",
    "for", "friends", "from", "good", "great", "home", "in", "is", "light", "little", "long", "love", "morning",
    "my", "new", "night", "of", "on", "our", "photo", "place", "rain", "really", "red", "see", "small", "so",
    "summer", "sun", "the", "this", "to", "today", "trip", "walk", "water", "what", "with", "world", "you",
)  # fmt: skip
