"""The account form that the sandbox publishes: invented, because the real one is not public."""

from __future__ import annotations

from client.port import Choice, FieldKind, FormField, Label

ACCOUNT, PASSWORD = "account", "password"

ACCOUNT_FORM = (
    FormField(
        name=ACCOUNT,
        label=Label("帳號", "Account"),
        kind=FieldKind.TEXT,
        pattern="[a-z][a-z0-9._-]{3,31}",
        hint=Label(
            "4 到 32 個字：小寫英文字母開頭，可用小寫字母、數字與 . _ -",
            "4 to 32 characters: starts with a lower-case letter; letters, digits and . _ -",
        ),
        max_length=32,
    ),
    FormField(
        name=PASSWORD,
        label=Label("密碼", "Password"),
        kind=FieldKind.SECRET,
        pattern="[!-~]{12,64}",
        hint=Label(
            "12 到 64 個英文字母、數字或符號，請勿與 PIN 碼相同",
            "12 to 64 letters, digits or symbols; not the card's PIN",
        ),
        max_length=64,
    ),
    FormField(
        name="name",
        label=Label("姓名", "Name"),
        kind=FieldKind.TEXT,
        max_length=50,
        autocomplete="name",
    ),
    FormField(
        name="institution",
        label=Label("機構代碼", "Institution code"),
        kind=FieldKind.TEXT,
        pattern="[0-9]{10}",
        hint=Label("醫事機構代碼，10 碼數字", "The institution's code, 10 digits"),
        max_length=10,
    ),
    FormField(
        name="department",
        label=Label("單位", "Department"),
        kind=FieldKind.TEXT,
        required=False,
        max_length=50,
    ),
    FormField(
        name="title",
        label=Label("職稱", "Job title"),
        kind=FieldKind.CHOICE,
        choices=(
            Choice("physician", Label("醫師", "Physician")),
            Choice("nurse", Label("護理師", "Nurse")),
            Choice("psychologist", Label("心理師", "Psychologist")),
            Choice("social-worker", Label("社工師", "Social worker")),
            Choice("administrator", Label("行政人員", "Administrator")),
            Choice("other", Label("其他", "Other")),
        ),
    ),
    FormField(
        name="email",
        label=Label("電子郵件", "E-mail"),
        kind=FieldKind.EMAIL,
        max_length=120,
    ),
    FormField(
        name="phone",
        label=Label("聯絡電話", "Telephone"),
        kind=FieldKind.PHONE,
        hint=Label("例如 02-2345-6789#123", "For example 02-2345-6789#123"),
        max_length=25,
    ),
    FormField(
        name="consent",
        label=Label(
            "本人同意依個人資料保護法之告知事項使用本系統",
            "I agree to the use of my data as the privacy notice describes",
        ),
        kind=FieldKind.CONSENT,
    ),
)
