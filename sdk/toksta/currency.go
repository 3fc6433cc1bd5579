package toksta

import "strings"

// Currency is the alphabetic code of ISO 4217 of the currency in which the vendor
// charges, such as "EUR". "" stands for [DefaultCurrency].
type Currency string

// DefaultCurrency is the currency of the shipped configuration. Documents name
// its amounts with the suffix _usd; see [Currency.IsDefault].
const DefaultCurrency Currency = "USD"

// currencies lists the currencies of ISO 4217 by their number of minor digits, as
// amended in 2026. It omits metals, testing codes and most units of account.
func currencies(digits int) string {
	switch digits {
	case 0:
		return "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
	case 2:
		return "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP CRC CUP CVE CZK " +
			"DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD " +
			"KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP " +
			"PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH " +
			"USD UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG"
	case 3:
		return "BHD IQD JOD KWD LYD OMR TND"
	case 4:
		return "CLF UYW"
	}
	return ""
}

// Digits returns the number of decimals of the smallest amount that can be
// charged: 2 for USD, 0 for JPY, 3 for KWD. It returns 2 for an unknown code.
func (c Currency) Digits() int {
	for _, digits := range []int{0, 3, 4} {
		if c.isIn(digits) {
			return digits
		}
	}
	return 2
}

// IsKnown reports whether the code is one of ISO 4217, in capitals.
func (c Currency) IsKnown() bool {
	return c.isIn(0) || c.isIn(2) || c.isIn(3) || c.isIn(4)
}

func (c Currency) isIn(digits int) bool {
	return len(c) == 3 && strings.Contains(" "+currencies(digits)+" ", " "+string(c)+" ")
}

// IsDefault reports whether c is the default currency. In any other currency,
// documents name amounts without the suffix _usd and state the code in the field
// currency.
func (c Currency) IsDefault() bool { return c == "" || c == DefaultCurrency }

// Code returns the code, with the default in place of "".
func (c Currency) Code() string {
	if c == "" {
		return string(DefaultCurrency)
	}
	return string(c)
}
