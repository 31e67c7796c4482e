"""What is looked at, what was raised, and what is kept quiet for a time."""

from django.db import models


class Rule(models.Model):
    """When something is to be told: a measure, the bound that it may not reach, and for how long."""

    id = models.BigAutoField(primary_key=True)
    name = models.CharField(max_length=60, unique=True)
    measure = models.CharField(max_length=20, help_text="One of `apps.alerts.measures.MEASURES`.")
    subject = models.CharField(max_length=100, blank=True, help_text="A feed, a set, a context; empty: each of them.")
    bound = models.FloatField(help_text="Raised at this value or above.")
    clears_below = models.FloatField(help_text="Over when it is below this value; at most the bound.")
    for_seconds = models.PositiveIntegerField(help_text="For how long it must hold before it is raised, or is over.")
    is_grave = models.BooleanField(default=False)
    is_on = models.BooleanField(default=True)
    mail_to = models.TextField(blank=True, help_text="Addresses, separated by commas; empty: to nobody.")

    class Meta:
        default_permissions = ()
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Alert(models.Model):
    """Something that a rule has found: raised once, until it is over. Kept for a year after that."""

    id = models.BigAutoField(primary_key=True)
    rule = models.CharField(max_length=60)
    measure = models.CharField(max_length=20)
    subject = models.CharField(max_length=100)
    is_grave = models.BooleanField()
    text = models.TextField()
    value = models.FloatField()
    worst = models.FloatField()
    bound = models.FloatField()
    raised_at = models.DateTimeField(db_index=True)
    ended_at = models.DateTimeField(null=True)
    acknowledged_at = models.DateTimeField(null=True)
    acknowledged_by = models.CharField(max_length=150, blank=True)
    mail_to = models.TextField(blank=True)
    mailed_at = models.DateTimeField(null=True)
    mail_problem = models.TextField(blank=True)

    class Meta:
        default_permissions = ()
        ordering = ["-raised_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["rule", "subject"], condition=models.Q(ended_at=None), name="alerts_once_while_it_lasts"
            )
        ]

    def __str__(self) -> str:
        return f"{self.rule} {self.subject}".rstrip()


class Silence(models.Model):
    """Alerts of a rule that are told to nobody for a time: of one subject, or of all."""

    id = models.BigAutoField(primary_key=True)
    rule = models.CharField(max_length=60)
    subject = models.CharField(max_length=100, blank=True, help_text="Empty: all of the rule's.")
    until = models.DateTimeField(db_index=True)
    why = models.TextField()
    by = models.CharField(max_length=150)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.rule} {self.subject}".rstrip()
