"""What the pages say, in Chinese and in English."""

from typing import Final

LANGUAGES: Final = ("zh-CN", "en")

TEXTS: dict[str, dict[str, str]] = {
    "zh-CN": {
        "title": "联保：以互信得信贷",
        "name": "联保",
        "line1": "相识的人结成社群：一个村、一个行业、一群志趣相投的人。",
        "line2": "成员之间量力担保：承诺多少、到哪一天，双方都点头才算数。",
        "line3": "您能借多少，由站在您身后的人决定；每一个数字都说得出来由。",
        "line4": "农时贷随庄稼走：播种前放款，收获之前一分不还。",
        "line5": "有人还不上时，谁该付多少、付了向谁追，事先写明，一分不差。",
        "form_title": "我的额度与来由",
        "form_help": "输入您的访问令牌。令牌只随本次请求发送，不保存，也不出现在网址里。",
        "token": "访问令牌",
        "show": "查看",
        "for_builders": "给开发者和运维",
        "docs": "接口文档",
        "spec": "接口描述（OpenAPI 3.1）",
        "problems": "错误类型",
        "alive": "进程是否存活",
        "ready": "是否就绪",
        "other_language": "English",
        "bad_token": "这个令牌无效、已过期或已撤销。请核对后重新输入。",
        "not_from_here": "请从本页的表单提交。",
        "colon": "：",
        "back": "返回首页",
        "may_borrow": "还可以借",
        "bound_by": "决定它的是",
        "remedy": "怎样提高",
        "all_reasons": "全部限制",
        "written_in": "出自章程第 {version} 版",
        "written_in_product": "出自产品第 {version} 版",
        "behind_me": "谁站在我身后",
        "behind_me_help": "线越粗，担保越多。左边的人为中间的人担保。",
        "own": "自己的担保能力",
        "nobody_behind": "眼下没有人能为您的新贷款担保，您自己也没有空余的担保能力。",
        "my_loans": "我的贷款",
        "no_loans": "没有贷款。",
        "principal": "本金",
        "owed": "尚欠",
        "next_due": "下一期",
        "overdue": "已逾期 {days} 天",
        "my_exposure": "我为别人担了多少",
        "exposure_now": "此刻压在贷款下的",
        "exposure_most": "全部承诺用满时最多",
        "for_whom": "为谁",
        "until": "至",
        "no_exposure": "没有为别人担保。",
        "my_calls": "要我代偿的",
        "no_calls": "没有人要您代偿。",
        "asked": "应付",
        "paid": "已付",
        "deadline": "截止",
        "for_loan_of": "{name} 的贷款",
        "no_place": "您不在任何社群里，所以没有额度可看。",
        "who": "您好，{name}",
    },
    "en": {
        "title": "Lianbao: credit on mutual trust",
        "name": "Lianbao",
        "line1": "People who know each other form a community: a village, a trade, a common "
        "interest.",
        "line2": "They stand behind one another with measured promises: an amount, a last day, "
        "accepted by both.",
        "line3": "How much you may borrow depends on who stands behind you; every number has its "
        "reason.",
        "line4": "Seasonal loans follow the crop: paid out before sowing, nothing due before "
        "harvest.",
        "line5": "Should somebody fail to repay, who pays how much and may claim it from whom is "
        "written down beforehand, to the cent.",
        "form_title": "My limit and why",
        "form_help": "Enter your access token. It is sent with this one request, not kept, and "
        "never part of an address.",
        "token": "Access token",
        "show": "Show",
        "for_builders": "For builders and operators",
        "docs": "API documentation",
        "spec": "API description (OpenAPI 3.1)",
        "problems": "Problem types",
        "alive": "Is it alive",
        "ready": "Is it ready",
        "other_language": "中文",
        "bad_token": "This token is unknown, expired or revoked. Please check it and try again.",
        "not_from_here": "Please use the form on this page.",
        "colon": ": ",
        "back": "Back to the first page",
        "may_borrow": "You may still borrow",
        "bound_by": "Decided by",
        "remedy": "What would raise it",
        "all_reasons": "All limits",
        "written_in": "written in charter version {version}",
        "written_in_product": "written in product version {version}",
        "behind_me": "Who stands behind me",
        "behind_me_help": "The thicker the line, the larger the cover. Those on the left stand "
        "behind those in the middle.",
        "own": "own standing",
        "nobody_behind": "At present nobody can stand behind a new loan of yours, and nothing of "
        "your own standing is free.",
        "my_loans": "My loans",
        "no_loans": "No loans.",
        "principal": "Principal",
        "owed": "Owed",
        "next_due": "Next due",
        "overdue": "{days} days overdue",
        "my_exposure": "What I stand for",
        "exposure_now": "Resting on loans now",
        "exposure_most": "At most, if all promises were used",
        "for_whom": "For whom",
        "until": "until",
        "no_exposure": "You stand behind nobody.",
        "my_calls": "Calls on me",
        "no_calls": "Nobody asks you to pay for another.",
        "asked": "Asked",
        "paid": "Paid",
        "deadline": "by",
        "for_loan_of": "loan of {name}",
        "no_place": "You are in no community, so there is no limit to show.",
        "who": "Hello, {name}",
    },
}

# What binds a limit: its name and what helps.
CONSTRAINTS: dict[str, dict[str, tuple[str, str]]] = {
    "zh-CN": {
        "own_overdue": ("自己有逾期", "先还清逾期的部分。"),
        "late_peers": ("组员有逾期", "帮组里逾期的人还上。"),
        "trust": ("身后之人的担保能力", "请有能力的人为您担保或多担保一些，或多锁定一些储蓄。"),
        "cover": ("可占用的担保", "请有能力的人为您担保或多担保一些，或多锁定一些储蓄。"),
        "product": ("产品上限", "少借一些，或选额度更大的产品。"),
        "liability_mode": ("担保方式", "选章程允许的担保方式的产品。"),
        "owed_per_member": ("每人欠款上限", "先还掉一部分。"),
        "loan_cycle": ("借款阶梯", "还清一笔，下一级更高。"),
        "repayment_capacity": ("还款能力", "先还一部分，或申请重新评估还款能力。"),
    },
    "en": {
        "own_overdue": ("something of yours is overdue", "Pay what is overdue."),
        "late_peers": ("a member of your group is late", "Help the late ones to pay."),
        "trust": (
            "what those behind you can stand for",
            "Ask somebody who can to stand behind you, or with more; or lock more savings.",
        ),
        "cover": (
            "the cover that can be reserved",
            "Ask somebody who can to stand behind you, or with more; or lock more savings.",
        ),
        "product": ("the product's largest loan", "Ask for less, or choose a larger product."),
        "liability_mode": ("the kind of liability", "Choose a product that the charter allows."),
        "owed_per_member": ("the most that one member may owe", "Repay a part first."),
        "loan_cycle": (
            "your step on the ladder of loans",
            "Repay a loan: the next step is larger.",
        ),
        "repayment_capacity": (
            "what you can repay",
            "Repay a part first, or ask for a new assessment.",
        ),
    },
}

STATUSES: dict[str, dict[str, str]] = {
    "zh-CN": {
        "draft": "草稿",
        "submitted": "已申请",
        "endorsed": "已联名",
        "approved": "已批准",
        "current": "正常",
        "overdue": "逾期",
        "called": "代偿中",
        "closed": "已还清",
        "written_off": "已核销",
        "rejected": "未批准",
        "withdrawn": "已撤回",
        "expired": "已过期",
        "open": "待付",
        "disputed": "有异议",
        "paid": "已付清",
        "lapsed": "已过期限",
        "cancelled": "已取消",
    },
    "en": {"written_off": "written off"},
}


def pick(asked: str | None, accepted: str | None) -> str:
    """The language to answer in: what was asked for, else what is accepted, else Chinese."""
    for wanted in (asked, accepted):
        if wanted in LANGUAGES:
            return wanted
    return LANGUAGES[0]
