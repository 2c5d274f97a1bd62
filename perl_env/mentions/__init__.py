"""How English texts mention images: the engine behind ``perl_env.references``.

``words`` are tables, ``grammar`` the forms as regular expressions, ``numbers`` and ``ordinals`` what
each form means, ``context`` what the words around say, ``implicit_order`` what depends on the order
without a mention, ``unusual_names`` what may name an image in no known form, ``letters`` the spelling
that all forms expect, ``parser`` the pass over a text, ``parts`` what it finds, which can say itself of
another order, and ``options`` where a text binds letters to pictures.
"""
