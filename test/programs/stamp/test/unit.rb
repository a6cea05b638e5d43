# frozen_string_literal: true

require_relative "measured"
measured "Unit"
require_relative "../lib/stamp"
require "minitest/autorun"

class StampTest < Minitest::Test
  def test_price_at_home
    assert_equal 85, Stamp.new(20).cents
    assert_equal "letter", Stamp.new(3).describe
  end
end
