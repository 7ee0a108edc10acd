"""Every reason for which an order is denied."""

from enum import StrEnum


class Code(StrEnum):
    """The code stands in records; its text is the promise that the check keeps."""

    ORDER_VALUE = "ORDER_VALUE"
    POSITION_VALUE = "POSITION_VALUE"
    SYMBOL = "SYMBOL"
    COLLAR = "COLLAR"
    SPREAD = "SPREAD"
    QUOTE = "QUOTE"
    DATA_RIGHTS = "DATA_RIGHTS"
    TRADABLE = "TRADABLE"
    SIGNAL_AGE = "SIGNAL_AGE"
    DRIFT = "DRIFT"
    SESSION = "SESSION"
    CONFIDENCE = "CONFIDENCE"
    CURRENCY = "CURRENCY"
    SECURITY_TYPE = "SECURITY_TYPE"
    FRACTION = "FRACTION"
    SHORT = "SHORT"
    TICK = "TICK"
    POSITION = "POSITION"
    OWNERSHIP = "OWNERSHIP"
    BLOCKED = "BLOCKED"
    STRATEGY = "STRATEGY"
    MODE = "MODE"
    TRADING_STATE = "TRADING_STATE"
