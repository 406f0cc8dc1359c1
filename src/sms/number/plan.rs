//! What the numbering plan says of an E.164 number: libphonenumber's metadata, by the crate rlibphonenumber. It tells what
//! a number was assigned as; whether it is in use, or mobile in the US or Canada, only its network knows.

use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumber, PhoneNumberFormat, PhoneNumberType, Region};

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $word:literal of $theirs:ident),+ $(,)?) => {
        /// What a number was assigned as.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Kind { $($(#[$doc])* $name),+ }
        impl Kind {
            /// As in JSON.
            #[must_use]
            pub fn as_str(self) -> &'static str { match self { $(Self::$name => $word),+ } }
            fn of(theirs: PhoneNumberType) -> Self { match theirs { $(PhoneNumberType::$theirs => Self::$name),+ } }
        }
    };
}

kinds! {
    /// A landline.
    Fixed = "fixed" of FixedLine,
    /// A mobile.
    Mobile = "mobile" of Mobile,
    /// One of these: the US, Canada and others do not tell.
    FixedOrMobile = "fixed_or_mobile" of FixedLineOrMobile,
    /// Whoever is called pays.
    TollFree = "toll_free" of TollFree,
    /// Dearer than a call.
    Premium = "premium" of PremiumRate,
    /// Both pay.
    SharedCost = "shared_cost" of SharedCost,
    /// Over the internet.
    Voip = "voip" of VoIP,
    /// Follows a person.
    Personal = "personal" of PersonalNumber,
    /// A pager.
    Pager = "pager" of Pager,
    /// One for all offices of a company.
    Company = "company" of UAN,
    /// A voice box.
    Voicemail = "voicemail" of VoiceMail,
    /// The plan has no such number.
    Unknown = "unknown" of Unknown,
}

/// What the plan says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// With `+`.
    pub e164: String,
    /// Digits after the `+` that lead to a country or service.
    pub calling_code: i32,
    /// The digits after those.
    pub national: String,
    /// There are numbers of this length under its calling code.
    pub is_possible: bool,
    /// It is in a range that is assigned.
    pub is_valid: bool,
    /// As what.
    pub kind: Kind,
    /// Its country by ISO 3166, `001` for services without one; none where the plan does not tell.
    pub country: Option<String>,
    /// All countries that share its calling code.
    pub countries: Vec<String>,
}

/// The plan of what is written with `+`; none where it cannot be a number of any country.
#[must_use]
pub fn of(text: &str) -> Option<Plan> {
    text.starts_with('+').then(|| of_written(text, None)).flatten()
}

/// The same of a number as people write it; `country` is looked at where there is no `+`, and alone then.
#[must_use]
pub fn of_written(text: &str, country: Option<&str>) -> Option<Plan> {
    parse(text, country).map(|number| told(&number))
}

/// The E.164 form of what people write, where there are numbers of its length.
pub(super) fn e164(text: &str, country: Option<&str>) -> Option<String> {
    let number = parse(text, country)?;
    let found = PHONE_NUMBER_UTIL.format(&number, PhoneNumberFormat::E164).into_owned();
    (PHONE_NUMBER_UTIL.is_possible_number(&number) && super::is_e164(&found)).then_some(found)
}

fn parse(text: &str, country: Option<&str>) -> Option<PhoneNumber> {
    let country = country.filter(|_| !text.starts_with('+')).and_then(|c| Region::from_code(c).ok());
    PHONE_NUMBER_UTIL.parse(text, country).ok()
}

fn told(number: &PhoneNumber) -> Plan {
    let util = &*PHONE_NUMBER_UTIL;
    let shared = util.get_regions_for_country_calling_code(number.country_code);
    Plan {
        e164: util.format(number, PhoneNumberFormat::E164).into_owned(),
        calling_code: number.country_code,
        national: rlibphonenumber::get_national_significant_number_owned(number),
        is_possible: util.is_possible_number(number),
        is_valid: util.is_valid_number(number),
        kind: Kind::of(util.get_number_type(number)),
        country: util.get_region_for_number(number).map(|region| region.as_region_str().to_string()),
        countries: shared.into_iter().flatten().map(|region| region.as_region_str().to_string()).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kind_country_and_validity_come_from_the_plan() {
        for (number, kind, country) in [
            ("+447911123456", Kind::Mobile, Some("GG")), // not GB: carriers.md, trap
            ("+447400123456", Kind::Mobile, Some("GB")),
            ("+12125552368", Kind::FixedOrMobile, Some("US")),
            ("+14165550123", Kind::FixedOrMobile, Some("CA")),
            ("+18005550199", Kind::TollFree, Some("US")),
            ("+19005550123", Kind::Premium, Some("US")),
            ("+41840123456", Kind::SharedCost, Some("CH")),
            ("+80012345678", Kind::TollFree, Some("001")),
        ] {
            let plan = of(number).unwrap();
            assert_eq!((plan.kind, plan.country.as_deref(), plan.is_valid), (kind, country, true), "{number}");
            assert_eq!(plan.e164, number);
        }
    }

    #[test]
    fn what_the_plan_has_not_is_told_apart_from_what_cannot_be() {
        let plan = of("+15550100001").unwrap();
        assert!(plan.is_possible && !plan.is_valid && plan.kind == Kind::Unknown);
        assert!(plan.countries.len() > 20 && plan.countries.contains(&"CA".to_owned()));
        assert!(!of("+1555010").unwrap().is_possible, "too short");
        assert_eq!(of("+2101234567"), None, "no such calling code");
        assert_eq!(of("12125552368"), None, "no +");
    }
}
