"""Member profiles (会员画像): what is known of a member here, shown by who asks."""
