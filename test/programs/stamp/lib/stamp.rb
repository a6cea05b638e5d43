# frozen_string_literal: true

# What a letter costs to send.
class Stamp
  LIMITS = { 20 => 85, 50 => 100, 500 => 160 }.freeze

  def initialize(grams, abroad: false)
    @grams = grams
    @abroad = abroad
  end

  def cents
    base = LIMITS.find { |limit, _| @grams <= limit }&.last
    if base.nil?
      raise ArgumentError, "too heavy"
    else
      @abroad ? base + 25 : base
    end
  end

  def describe
    case @grams
    when 0..20 then "letter"
    when 21..500
      "large letter"
    end
  end

  # :nocov:
  def unused
    puts "nobody measures this"
  end
  # :nocov:
end
