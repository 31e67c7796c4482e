"""What the console itself remembers: who did what, what waits for a second person, and who failed to sign in."""

from collections.abc import Sequence

from django.db import models


class Act(models.Model):
    """Something that a person asked for: written before it is done, and never changed or deleted. Kept for ever."""

    id = models.UUIDField(primary_key=True)
    at = models.DateTimeField(db_index=True)
    user = models.CharField(max_length=150)
    address = models.GenericIPAddressField(null=True)
    name = models.CharField(max_length=40, help_text="What was asked for, such as trading.halt.")
    subject = models.CharField(max_length=200, help_text="Of what: an account, a set, a feed; empty: of everything.")
    why = models.TextField()
    before = models.JSONField()
    request_id = models.CharField(
        max_length=64, default="", db_default="", db_index=True, help_text="Of the request that asked for it."
    )

    unmet: Sequence[object] = ()
    """What did not come of it, where somebody has looked."""

    class Meta:
        ordering = ["-at", "-id"]
        default_permissions = ()
        permissions = [("view", "Can see the console"), ("operate", "Can act in the console")]

    def __str__(self) -> str:
        return f"{self.user}: {self.name} {self.subject}".rstrip()


class Outcome(models.Model):
    """What became of an act; one that has none was cut off while it was done. Never changed or deleted."""

    act = models.OneToOneField(Act, on_delete=models.PROTECT, primary_key=True, related_name="outcome")
    at = models.DateTimeField()
    is_done = models.BooleanField()
    text = models.TextField(help_text="What was done, or why it was not.")
    after = models.JSONField()
    commands = models.JSONField(
        default=list, db_default=[], help_text="What was asked for it: [context, key, id], of each key the first."
    )

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.text


class Proposal(models.Model):
    """An act that one person has asked for and another has to confirm, while it is open. Kept for ever."""

    id = models.UUIDField(primary_key=True)
    at = models.DateTimeField(db_index=True)
    user = models.CharField(max_length=150)
    name = models.CharField(max_length=40)
    given = models.JSONField(help_text="What the act is about, by the names of its parameters.")
    why = models.TextField()
    closed_at = models.DateTimeField(null=True)
    closed_by = models.CharField(max_length=150, blank=True)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.user} proposes {self.name}"


class SignInTry(models.Model):
    """A try to sign in: a failure until it is known to be none. Kept for a day."""

    id = models.BigAutoField(primary_key=True)
    at = models.DateTimeField(db_index=True)
    username = models.CharField(max_length=150)
    address = models.GenericIPAddressField(null=True)
    has_failed = models.BooleanField(default=True)

    class Meta:
        default_permissions = ()
        indexes = [models.Index(fields=["username", "at"])]

    def __str__(self) -> str:
        return f"{self.username} from {self.address}"


class SecondFactor(models.Model):
    """The authenticator of somebody, which counts once it is confirmed, and codes for when second factors are lost."""

    user_id = models.BigIntegerField(primary_key=True)
    seed = models.CharField(max_length=40, help_text="With the key of the installation it makes the shared secret.")
    confirmed_at = models.DateTimeField(null=True)
    last_step = models.BigIntegerField(default=0, help_text="Of the last code that was used: none is used twice.")
    recovery = models.JSONField(default=list, help_text="Digests of the codes for emergencies that are left.")

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"second factor of user {self.user_id}"


class Passkey(models.Model):
    """A key on somebody's device, by its public half: a second factor that signs for this console's name alone."""

    id = models.BigAutoField(primary_key=True)
    user_id = models.BigIntegerField(db_index=True)
    credential = models.BinaryField(max_length=1023, unique=True)
    public_key = models.BinaryField()
    host = models.CharField(max_length=253, help_text="The name of the console that it was made for.")
    sign_count = models.BigIntegerField(help_text="How often it has signed, as its device says; 0: it does not say.")
    name = models.CharField(max_length=60)
    made_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.name} of user {self.user_id}"


class SignedIn(models.Model):
    """A session in which somebody signed in. Forgotten when it has ended and is looked for."""

    id = models.BigAutoField(primary_key=True)
    session = models.CharField(max_length=40, unique=True)
    user_id = models.BigIntegerField(db_index=True)
    at = models.DateTimeField()
    address = models.GenericIPAddressField(null=True)
    agent = models.CharField(max_length=200)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"session of user {self.user_id} from {self.address}"
